using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static partial class Divergence
{
    private const string CudaSource = "loss/divergence";
    private const int CudaThreads = 256;

    private static readonly KernelId RowsKernel = new(CudaSource, "divergence_rows");
    private static readonly KernelId GradientKernel = new(CudaSource, "divergence_gradient");

    private static void CudaForward(CudaDevice cuda, in Pair pair, Tensor loss)
    {
        var (logits, targets) = (pair.Logits, pair.Targets);
        int rows = logits.Shape[0];
        var losses = cuda.Workspace.Rent(new Shape(2 * rows)); // f64
        cuda.Launch(
            RowsKernel, new LaunchShape(rows, CudaThreads), targets.Address, targets.RowStride, targets.Shape[0], logits.Address, logits.RowStride,
            logits.Shape[1], pair.Second?.Address ?? 0, pair.Weights?.Address ?? 0, pair.Saved.Address, losses.Address);
        ElementLosses.CudaMean(cuda, losses, rows, rows, loss);
    }

    private static void CudaBackward(CudaDevice cuda, in Pair pair, Tensor lossGradient, Tensor gradient, bool accumulate)
    {
        var (logits, targets) = (pair.Logits, pair.Targets);
        cuda.Launch(
            GradientKernel, ElementTiles.Of(logits.Shape), targets.Address, targets.RowStride, targets.Shape[0], logits.Address, logits.RowStride,
            logits.Shape[0], logits.Shape[1], pair.Second?.Address ?? 0, pair.Weights?.Address ?? 0, pair.Saved.Address, lossGradient.Address,
            gradient.Address, gradient.RowStride, accumulate ? 1 : 0);
    }
}
