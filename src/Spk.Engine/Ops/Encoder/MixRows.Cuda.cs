using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static partial class MixRows
{
    private static readonly KernelId ForwardKernel = new("encoder/mix_rows", "mix_rows_forward");
    private static readonly KernelId BackwardKernel = new("encoder/mix_rows", "mix_rows_backward");

    private static void CudaForward(CudaDevice cuda, Tensor x, RowMix mix, Tensor y, int rows, int width) => cuda.Launch(
        ForwardKernel, ElementTiles.Of(new Shape(rows, width)), x.Address, mix.Partners.Address, mix.Weights.Address, y.Address, rows, width);

    private static void CudaBackward(CudaDevice cuda, Tensor dy, RowMix mix, Tensor dx, bool accumulate, int rows, int width) => cuda.Launch(
        BackwardKernel, ElementTiles.Of(new Shape(rows, width)), dy.Address, mix.Partners.Address, mix.Weights.Address, dx.Address, accumulate ? 1 : 0, rows, width);
}
