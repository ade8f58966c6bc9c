using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static partial class ViewSymmetry
{
    private const string CudaSource = "loss/view_symmetry";
    private const int CudaThreads = 256;

    private static readonly KernelId ItemsKernel = new(CudaSource, "view_symmetry_items");
    private static readonly KernelId GradientKernel = new(CudaSource, "view_symmetry_gradient");

    private static void CudaForward(CudaDevice cuda, Tensor logits, int views, Tensor? weights, in Saved saved, Tensor loss)
    {
        int items = logits.Shape[0] / views;
        var losses = cuda.Workspace.Rent(new Shape(2 * items)); // f64
        cuda.Launch(
            ItemsKernel, new LaunchShape(items, CudaThreads), logits.Address, views, items, logits.Shape[1], weights?.Address ?? 0, saved.Rows.Address,
            saved.LogMixture.Address, saved.Ratio?.Address ?? 0, losses.Address);
        ElementLosses.CudaMean(cuda, losses, items, items, loss);
    }

    private static void CudaBackward(
        CudaDevice cuda, Tensor logits, int views, Tensor? weights, in Saved saved, Tensor lossGradient, Tensor gradient, bool accumulate) =>
        cuda.Launch(
            GradientKernel, ElementTiles.Of(logits.Shape), logits.Address, views, logits.Shape[0] / views, logits.Shape[1], weights?.Address ?? 0,
            saved.Rows.Address, saved.LogMixture.Address, saved.Ratio?.Address ?? 0, lossGradient.Address, gradient.Address, gradient.RowStride,
            accumulate ? 1 : 0);
}
