using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static partial class Activation
{
    private const string CudaSource = "encoder/activation";

    private static readonly KernelId ForwardKernel = new(CudaSource, "activation_forward");
    private static readonly KernelId BackwardKernel = new(CudaSource, "activation_backward");

    private static void CudaForward(CudaDevice cuda, ActivationKind kind, float slope, Tensor x, Tensor y) =>
        cuda.Launch(
            ForwardKernel, ElementTiles.Of(x.Shape), x.Address, x.RowStride, y.Address, y.RowStride, x.Shape.Rows, x.Shape.Last, (int)kind, slope);

    private static void CudaBackward(CudaDevice cuda, ActivationKind kind, float slope, Tensor x, Tensor y, Tensor dy, Tensor dx, bool accumulate) =>
        cuda.Launch(
            BackwardKernel, ElementTiles.Of(x.Shape), x.Address, x.RowStride, y.Address, y.RowStride, dy.Address, dy.RowStride, dx.Address, dx.RowStride,
            x.Shape.Rows, x.Shape.Last, (int)kind, slope, accumulate ? 1 : 0);
}
