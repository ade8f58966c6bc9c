using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Encoder;

public static partial class L2Normalize
{
    private const string CudaSource = "encoder/l2_normalize";
    private const int CudaRows = 4, CudaThreads = 32 * CudaRows;

    private static readonly KernelId ForwardKernel = new(CudaSource, "l2_normalize_forward");
    private static readonly KernelId BackwardKernel = new(CudaSource, "l2_normalize_backward");

    /// <summary>Unit rows of x into y, and their lengths; for the losses too.</summary>
    internal static void CudaForward(CudaDevice cuda, Tensor x, Tensor y, Tensor lengths, float eps) =>
        cuda.Launch(
            ForwardKernel, new LaunchShape((x.Shape[0] + CudaRows - 1) / CudaRows, CudaThreads), x.Address, x.RowStride, y.Address, y.RowStride,
            lengths.Address, x.Shape[0], x.Shape[1], eps);

    /// <summary>The gradient by x from that by y, times a factor that lies on the device where one is given.</summary>
    internal static void CudaBackward(
        CudaDevice cuda, Tensor y, Tensor lengths, Tensor dy, Tensor dx, float eps, bool accumulate, Tensor? factor = null) =>
        cuda.Launch(
            BackwardKernel, new LaunchShape((y.Shape[0] + CudaRows - 1) / CudaRows, CudaThreads), y.Address, y.RowStride, lengths.Address, dy.Address,
            dy.RowStride, dx.Address, dx.RowStride, y.Shape[0], y.Shape[1], eps, accumulate ? 1 : 0,
            factor?.Address ?? 0);
}
