using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static partial class SelectRows
{
    private static readonly KernelId ForwardKernel = new("encoder/select_rows", "select_rows_forward");
    private static readonly KernelId BackwardKernel = new("encoder/select_rows", "select_rows_backward");

    private static void CudaForward(CudaDevice cuda, Tensor bank, Tensor index, Tensor? otherwise, Tensor y, int rows, int width) =>
        cuda.Launch(
            ForwardKernel, ElementTiles.Of(new Shape(rows, width)), bank.Address, index.Address, otherwise?.Address ?? 0, y.Address, rows, width);

    private static void CudaBackward(CudaDevice cuda, Tensor index, Tensor dy, Tensor gradient, bool accumulate, int rows, int width) =>
        cuda.Launch(
            BackwardKernel, ElementTiles.Of(new Shape(rows, width)), index.Address, dy.Address, gradient.Address, accumulate ? 1 : 0, rows, width);
}
