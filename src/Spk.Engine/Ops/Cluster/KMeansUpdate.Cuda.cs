using Spk.Engine.Clustering;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Cluster;

/// <content>The CUDA side.</content>
public static unsafe partial class KMeansUpdate
{
    private const string CudaSource = "cluster/k_means_update";
    private const int CudaThreads = 256, SumThreads = 128, SortRows = 2048, DigitBits = 8, WordsOfDouble = 2;

    private static readonly KernelId HistogramKernel = new(CudaSource, "k_means_update_histogram");
    private static readonly KernelId RunningSumsKernel = new(CudaSource, "k_means_update_running_sums");
    private static readonly KernelId ScatterKernel = new(CudaSource, "k_means_update_scatter");
    private static readonly KernelId StartsKernel = new(CudaSource, "k_means_update_starts");
    private static readonly KernelId PiecesKernel = new(CudaSource, "k_means_update_pieces");
    private static readonly KernelId SumKernel = new(CudaSource, "k_means_update_sum");
    private static readonly KernelId FinishKernel = new(CudaSource, "k_means_update_finish");

    private static void CudaForward(CudaDevice cuda, Tensor rows, Tensor? scales, Tensor labels, ClusterMetric metric, Tensor centroids, Tensor counts)
    {
        int count = rows.Shape[0], dimension = rows.Shape[1], clusters = centroids.Shape[0];
        if (count == 0)
        {
            cuda.Zero(counts);
            return;
        }

        // What is rented here goes back: a whole optimisation runs in one step of the workspace.
        var workspace = cuda.Workspace;
        var before = workspace.Position;
        nint order = Sort(cuda, labels, count, clusters);
        var starts = workspace.Rent(new Shape(clusters + 1), ElementType.Int32);
        cuda.Launch(StartsKernel, new LaunchShape(DivideUp(count + 1, CudaThreads), CudaThreads), labels.Address, order, count, clusters, starts.Address);
        var firstPieces = workspace.Rent(new Shape(clusters + 1), ElementType.Int32);
        cuda.Launch(PiecesKernel, new LaunchShape(1, CudaThreads), starts.Address, clusters, counts.Address, firstPieces.Address);

        int mostPieces = Math.Min(count, (count / PieceRows) + clusters);
        var sums = workspace.Rent(new Shape(mostPieces, dimension * WordsOfDouble));
        var factors = workspace.Rent(new Shape(mostPieces, WordsOfDouble));
        cuda.Launch(
            SumKernel, new LaunchShape(mostPieces, SumThreads, DivideUp(dimension, SumThreads)), rows.Address, rows.RowStride, scales?.Address ?? 0, order,
            starts.Address, firstPieces.Address, clusters, dimension, sums.Address, factors.Address);
        cuda.Launch(
            FinishKernel, new LaunchShape(clusters, SumThreads), firstPieces.Address, dimension, metric == ClusterMetric.Cosine ? 1 : 0, sums.Address,
            factors.Address, centroids.Address, centroids.RowStride);
        workspace.Advance(before);
    }

    // The rows by label, those of one label in their own order.
    private static nint Sort(CudaDevice cuda, Tensor labels, int count, int clusters)
    {
        int blocks = DivideUp(count, SortRows);
        var shape = new LaunchShape(blocks, CudaThreads);
        var histogram = cuda.Workspace.Rent(new Shape(1 << DigitBits, blocks), ElementType.Int32);
        nint order = 0;
        for (int shift = 0; shift == 0 || (clusters - 1) >> shift > 0; shift += DigitBits)
        {
            var sorted = cuda.Workspace.Rent(new Shape(count), ElementType.Int32);
            cuda.Launch(HistogramKernel, shape, labels.Address, order, count, shift, histogram.Address);
            cuda.Launch(RunningSumsKernel, new LaunchShape(1, CudaThreads), histogram.Address, histogram.Count);
            cuda.Launch(ScatterKernel, shape, labels.Address, order, count, shift, histogram.Address, sorted.Address);
            order = sorted.Address;
        }

        return order;
    }

    private static int DivideUp(int value, int by) => (value + by - 1) / by;
}
