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
        if (rows.Shape[0] == 0)
        {
            cuda.Zero(counts);
            return;
        }

        CudaForward(cuda, new CudaProblems(rows.Shape[0]), rows, scales, labels, metric, centroids, counts.Address);
    }

    /// <summary>Recomputes the centroids of all problems at work.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="problems">Which they are.</param>
    /// <param name="rows">f32 [rows of all problems, D].</param>
    /// <param name="scales">f32 [rows of all problems], or null.</param>
    /// <param name="labels">i32 [rows of all problems], each of its own problem's K.</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="centroids">f32 [problems · K, D], in and out.</param>
    /// <param name="counts">Address of i32 [problems, K], out.</param>
    internal static void CudaForward(
        CudaDevice cuda, CudaProblems problems, Tensor rows, Tensor? scales, Tensor labels, ClusterMetric metric, Tensor centroids, nint counts)
    {
        int dimension = rows.Shape[1], clusters = centroids.Shape[0] / problems.Count, most = problems.MostRows;

        // What is rented here goes back: a whole optimisation runs in one step of the workspace.
        var workspace = cuda.Workspace;
        var before = workspace.Position;
        var view = problems.View;
        var who = KernelArgument.Structure(&view);
        nint order = Sort(cuda, problems, labels, clusters);
        var starts = workspace.Rent(new Shape(problems.Count, clusters + 1), ElementType.Int32);
        cuda.Launch(StartsKernel, problems.Shape(DivideUp(most + 1, CudaThreads), CudaThreads), who, labels.Address, order, clusters, starts.Address);
        var firstPieces = workspace.Rent(new Shape(problems.Count, clusters + 1), ElementType.Int32);
        cuda.Launch(PiecesKernel, problems.Shape(1, CudaThreads), who, starts.Address, clusters, counts, firstPieces.Address);

        int pieces = Math.Min(most, (most / PieceRows) + clusters);
        var sums = workspace.Rent(new Shape(problems.Count, pieces, dimension * WordsOfDouble));
        var factors = workspace.Rent(new Shape(problems.Count, pieces, WordsOfDouble));
        cuda.Launch(
            SumKernel, problems.Shape(pieces, SumThreads, DivideUp(dimension, SumThreads)), who, rows.Address, rows.RowStride, scales?.Address ?? 0, order,
            starts.Address, firstPieces.Address, clusters, dimension, sums.Address, factors.Address);
        cuda.Launch(
            FinishKernel, problems.Shape(clusters, SumThreads), who, firstPieces.Address, pieces, dimension, metric == ClusterMetric.Cosine ? 1 : 0, sums.Address,
            factors.Address, centroids.Address, centroids.RowStride);
        workspace.Advance(before);
    }

    // The rows of each problem by label, those of one label in their own order.
    private static nint Sort(CudaDevice cuda, CudaProblems problems, Tensor labels, int clusters)
    {
        var view = problems.View;
        var who = KernelArgument.Structure(&view);
        int blocks = DivideUp(problems.MostRows, SortRows), bins = blocks << DigitBits;
        var shape = problems.Shape(blocks, CudaThreads);
        var histogram = cuda.Workspace.Rent(new Shape(problems.Count, bins), ElementType.Int32);
        nint order = 0;
        for (int shift = 0; shift == 0 || (clusters - 1) >> shift > 0; shift += DigitBits)
        {
            var sorted = cuda.Workspace.Rent(new Shape(problems.Rows), ElementType.Int32);
            cuda.Launch(HistogramKernel, shape, who, labels.Address, order, shift, histogram.Address);
            cuda.Launch(RunningSumsKernel, problems.Shape(1, CudaThreads), who, histogram.Address, bins);
            cuda.Launch(ScatterKernel, shape, who, labels.Address, order, shift, histogram.Address, sorted.Address);
            order = sorted.Address;
        }

        return order;
    }

    private static int DivideUp(int value, int by) => (value + by - 1) / by;
}
