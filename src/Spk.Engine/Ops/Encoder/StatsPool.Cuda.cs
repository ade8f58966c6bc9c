using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static partial class StatsPool
{
    private const string CudaSource = "encoder/stats_pool";
    private const int CudaChannels = 32, CudaLanes = 8;

    private static readonly KernelId ForwardKernel = new(CudaSource, "stats_pool_forward");
    private static readonly KernelId BackwardKernel = new(CudaSource, "stats_pool_backward");

    private static void CudaForward(CudaDevice cuda, Tensor x, Tensor y, float eps, PoolVariance variance) =>
        cuda.Launch(
            ForwardKernel, PerUtterance(x.Shape), x.Address, x.RowStride, x.Shape[1], x.Shape[2], eps, variance == PoolVariance.UnbiasedPlusEps ? 1 : 0,
            y.Address, y.RowStride);

    private static void CudaBackward(CudaDevice cuda, Tensor x, Tensor y, Tensor dy, Tensor dx, float eps, PoolVariance variance, bool accumulate) =>
        cuda.Launch(
            BackwardKernel, PerUtterance(x.Shape), x.Address, x.RowStride, y.Address, y.RowStride, dy.Address, dy.RowStride, dx.Address, dx.RowStride,
            x.Shape[1], x.Shape[2], variance == PoolVariance.BiasedClamped ? MathF.Sqrt(eps) : -1f, variance == PoolVariance.UnbiasedPlusEps ? 1 : 0,
            accumulate ? 1 : 0);

    private static LaunchShape PerUtterance(Shape x) => new((x[2] + CudaChannels - 1) / CudaChannels, CudaChannels, x[0], BlockY: CudaLanes);
}
