using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

public static partial class GroupSimilarity
{
    private const string Source = "loss/group_similarity";
    private const int Threads = 128;

    private static readonly KernelId RowsKernel = new(Source, "group_similarity_rows");
    private static readonly KernelId GradientKernel = new(Source, "group_similarity_gradient");

    private static void CudaForward(CudaDevice cuda, Tensor rows, int items, Tensor? groups, Tensor means, Tensor loss)
    {
        int count = rows.Shape[0];
        var products = cuda.Workspace.Rent(new Shape(2 * count)); // f64
        cuda.Launch(
            RowsKernel, new LaunchShape(count, Threads), rows.Address, groups?.Address ?? 0, count, items, rows.Shape[1], means.Address, products.Address);
        ElementLosses.CudaMean(cuda, products, count, count, loss);
    }

    private static void CudaBackward(CudaDevice cuda, Tensor means, Tensor lossGradient, Tensor gradient, bool accumulate) =>
        cuda.Launch(
            GradientKernel, ElementTiles.Of(means.Shape), means.Address, means.Shape[0], means.Shape[1], lossGradient.Address, gradient.Address,
            gradient.RowStride, accumulate ? 1 : 0);
}
