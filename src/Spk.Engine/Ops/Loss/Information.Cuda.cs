using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static partial class Information
{
    private const string CudaSource = "loss/information";
    private const int CudaThreads = 256, CudaColumns = 32, CudaLanes = 8;

    private static readonly KernelId RowsKernel = new(CudaSource, "information_rows");
    private static readonly KernelId MarginalKernel = new(CudaSource, "information_marginal");
    private static readonly KernelId FinishKernel = new(CudaSource, "information_finish");
    private static readonly KernelId GradientKernel = new(CudaSource, "information_gradient");

    private static void CudaForward(
        CudaDevice cuda, Tensor logits, float marginalWeight, Tensor? running, float share, Tensor saved, Tensor logMarginal, Tensor loss, Tensor entropies)
    {
        int rows = logits.Shape[0], classes = logits.Shape[1];
        var rowEntropies = cuda.Workspace.Rent(new Shape(2 * rows)); // f64
        var marginalEntropies = cuda.Workspace.Rent(new Shape(2 * classes)); // f64
        cuda.Launch(
            RowsKernel, new LaunchShape(rows, CudaThreads), logits.Address, logits.RowStride, classes, saved.Address, rowEntropies.Address);
        cuda.Launch(
            MarginalKernel, new LaunchShape((classes + CudaColumns - 1) / CudaColumns, CudaColumns, BlockY: CudaLanes), logits.Address, logits.RowStride, rows,
            classes, saved.Address, running?.Address ?? 0, share, logMarginal.Address, marginalEntropies.Address);
        cuda.Launch(
            FinishKernel, new LaunchShape(1, CudaThreads), rowEntropies.Address, rows, marginalEntropies.Address, classes, marginalWeight, loss.Address,
            entropies.Address);
    }

    private static void CudaBackward(
        CudaDevice cuda, Tensor logits, Tensor saved, Tensor logMarginal, float marginalFactor, Tensor lossGradient, Tensor gradient, bool accumulate) =>
        cuda.Launch(
            GradientKernel, new LaunchShape(logits.Shape[0], CudaThreads), logits.Address, logits.RowStride, logits.Shape[0], logits.Shape[1], saved.Address,
            logMarginal.Address, marginalFactor, lossGradient.Address, gradient.Address, gradient.RowStride, accumulate ? 1 : 0);
}
