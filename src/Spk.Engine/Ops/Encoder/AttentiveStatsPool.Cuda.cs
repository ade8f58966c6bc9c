using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static partial class AttentiveStatsPool
{
    private const string CudaSource = "encoder/attentive_stats_pool";
    private const int CudaChannels = 32, CudaLanes = 8, CudaFramesEach = 64;

    private static readonly KernelId AddSharedKernel = new(CudaSource, "attentive_stats_pool_add_shared");
    private static readonly KernelId SumSharedKernel = new(CudaSource, "attentive_stats_pool_sum_shared");
    private static readonly KernelId ForwardKernel = new(CudaSource, "attentive_stats_pool_forward");
    private static readonly KernelId BackwardKernel = new(CudaSource, "attentive_stats_pool_backward");

    private static void CudaAddShared(CudaDevice cuda, Tensor hidden, Tensor shared) =>
        cuda.Launch(
            AddSharedKernel, ElementTiles.Of(hidden.Shape), hidden.Address, hidden.RowStride, shared.Address, shared.RowStride, hidden.Shape.Rows,
            hidden.Shape[1], hidden.Shape[2]);

    private static void CudaSharedBackward(CudaDevice cuda, Tensor gradient, Tensor shared, bool accumulate) =>
        cuda.Launch(
            SumSharedKernel, PerUtterance(gradient.Shape), gradient.Address, gradient.RowStride, gradient.Shape[1], gradient.Shape[2], shared.Address,
            shared.RowStride, accumulate ? 1 : 0);

    private static void CudaPool(CudaDevice cuda, Tensor x, Tensor scores, Tensor y, Tensor variances, float eps) =>
        cuda.Launch(
            ForwardKernel, PerUtterance(x.Shape), x.Address, x.RowStride, scores.Address, scores.RowStride, x.Shape[1], x.Shape[2], eps, y.Address,
            variances.Address);

    private static void CudaPoolBackward(CudaDevice cuda, PoolNode node, Tensor dy, Tensor? dx, bool accumulate, Tensor scoreGradient)
    {
        var x = node.X;
        var shape = PerUtterance(x.Shape) with { GridZ = (x.Shape[1] + CudaFramesEach - 1) / CudaFramesEach };
        cuda.Launch(
            BackwardKernel, shape, x.Address, x.RowStride, node.Weights.Address, node.Weights.RowStride, node.Y.Address, node.Variances.Address, dy.Address,
            dy.RowStride, dx?.Address ?? 0, dx?.RowStride ?? 0, accumulate ? 1 : 0, scoreGradient.Address, scoreGradient.RowStride, x.Shape[1],
            CudaFramesEach, x.Shape[2], node.Eps);
    }

    private static LaunchShape PerUtterance(Shape x) => new((x[2] + CudaChannels - 1) / CudaChannels, CudaChannels, x[0], BlockY: CudaLanes);
}
