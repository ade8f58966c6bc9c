using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static partial class CrossEntropy
{
    private const string CudaSource = "loss/cross_entropy";
    private const int CudaThreads = 256;

    private static readonly KernelId RowsKernel = new(CudaSource, "cross_entropy_rows");
    private static readonly KernelId MeanKernel = new(CudaSource, "cross_entropy_mean");
    private static readonly KernelId GradientKernel = new(CudaSource, "cross_entropy_gradient");

    private static void CudaForward(CudaDevice cuda, Tensor logits, in Targets targets, Tensor saved, Tensor loss, Tensor accuracy)
    {
        int rows = logits.Shape[0];
        var losses = cuda.Workspace.Rent(new Shape(2 * rows)); // f64
        var hits = cuda.Workspace.Rent(new Shape(rows), ElementType.Int32);
        cuda.Launch(
            RowsKernel, new LaunchShape(rows, CudaThreads), logits.Address, logits.RowStride, logits.Shape[1], targets.Labels?.Address ?? 0,
            targets.Second?.Address ?? 0, targets.Weights?.Address ?? 0, saved.Address, losses.Address, hits.Address);
        cuda.Launch(MeanKernel, new LaunchShape(1, CudaThreads), losses.Address, hits.Address, rows, loss.Address, accuracy.Address);
    }

    private static void CudaBackward(
        CudaDevice cuda, Tensor logits, in Targets targets, Tensor saved, Tensor lossGradient, Tensor gradient, bool accumulate) =>
        cuda.Launch(
            GradientKernel, ElementTiles.Of(logits.Shape), logits.Address, logits.RowStride, logits.Shape[0], logits.Shape[1],
            targets.Labels?.Address ?? 0, targets.Second?.Address ?? 0, targets.Weights?.Address ?? 0, saved.Address, lossGradient.Address,
            gradient.Address, gradient.RowStride, accumulate ? 1 : 0);
}
