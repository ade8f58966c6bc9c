using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Cluster;

/// <content>The CUDA side.</content>
public static unsafe partial class KMeansAssign
{
    private const string CudaSource = "cluster/k_means_assign";
    private const int LargeTile = 128, SmallTile = 64, MostSplits = 16, WantedBlocks = 264;
    private const int CudaThreads = 256, CudaWarps = 8, FinishRows = 128, NearestTwoWords = 3, WordsOfTotal = 4;

    // On Hopper's warpgroups, pieces of 64 of the width: those of a block's rows that stay in shared memory, and of these and of stages of centroids together.
    // Up to a width of 256 there is room for a second block on the multiprocessor.
    private const int MostResident = 8, MostResidentOfTwo = 4, PiecesOfTwo = 6, PiecesOfOne = 14, MostStages = 8;

    // Half the distance between numbers next to each other, relative: f32, tf32, bf16.
    private const float RoundingFp32 = 5.97e-8f, RoundingTf32 = 4.89e-4f, RoundingBf16 = 3.91e-3f;

    private static readonly KernelId NormsKernel = new(CudaSource, "k_means_assign_norms");
    private static readonly KernelId FinishKernel = new(CudaSource, "k_means_assign_finish");
    private static readonly KernelId TotalKernel = new(CudaSource, "k_means_assign_total");

    // By precision, then tile (large, small).
    private static readonly KernelId[] SearchKernels =
    [
        Search(Precision.Fp32, LargeTile), Search(Precision.Fp32, SmallTile), Search(Precision.Tf32, LargeTile), Search(Precision.Tf32, SmallTile),
        Search(Precision.Bf16, LargeTile), Search(Precision.Bf16, SmallTile),
    ];

    private static readonly KernelId WarpgroupSearchKernel = new(CudaSource, "k_means_assign_wgmma", StreamedRows.SharedBytes(MostResident, PiecesOfOne - MostResident, LargeTile));

    private static KMeansAssignment CudaForward(
        CudaDevice cuda, Tensor rows, Tensor? scales, Tensor centroids, ClusterMetric metric, Tensor labels, Tensor distances)
    {
        if (rows.Shape[0] == 0)
        {
            return default;
        }

        // What is rented here goes back: a whole optimisation runs in one step of the workspace.
        var workspace = cuda.Workspace;
        var before = workspace.Position;
        var problem = new CudaProblems(rows.Shape[0]);
        var total = workspace.Rent(new Shape(WordsOfTotal));
        nint rounded = CudaRound(cuda, problem, rows, centroids.Shape[0]);
        CudaForward(cuda, problem, rows, rounded, scales, centroids, metric, labels, distances, total.Address);
        double* host = stackalloc double[2];
        cuda.Download(host, total.Address, 2 * sizeof(double));
        workspace.Advance(before);
        return new KMeansAssignment(host[0], (int)host[1]);
    }

    /// <summary>A copy of the rows in the workspace, rounded for Hopper's warpgroups; 0 where other kernels search.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="problems">Whose rows.</param>
    /// <param name="rows">f32 [rows of all problems, D].</param>
    /// <param name="clusters">K of each problem.</param>
    internal static nint CudaRound(CudaDevice cuda, CudaProblems problems, Tensor rows, int clusters)
    {
        int dimension = rows.Shape[1], centroids = problems.Count * clusters;
        var x = MatrixView.Of(rows.Data, problems.Rows, dimension, rows.RowStride);
        var c = MatrixView.Of(rows.Data, centroids, dimension, dimension);
        if (cuda.Precision != Precision.Bf16
            || !StreamedRows.IsOn(cuda)
            || !WarpgroupGemm.Suits(cuda, x, c.Transposed)
            || !WarpgroupGemm.Pays(cuda, (long)problems.Rows * clusters * dimension, ((long)problems.Rows + centroids) * dimension)
            || !cuda.Has(WarpgroupSearchKernel))
        {
            return 0;
        }

        WarpgroupGemm.Round(cuda, ref x);
        return (nint)x.Data;
    }

    /// <summary>Labels the rows of all problems at work.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="problems">Which they are.</param>
    /// <param name="rows">f32 [rows of all problems, D].</param>
    /// <param name="rounded">Of the same rows, from <see cref="CudaRound"/>.</param>
    /// <param name="scales">f32 [rows of all problems], or null.</param>
    /// <param name="centroids">f32 [problems · K, D].</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="labels">i32 [rows of all problems], in and out.</param>
    /// <param name="distances">f32 [rows of all problems], out.</param>
    /// <param name="totals">Address of f64 [problems, 2], out: the objective and how many labels changed.</param>
    internal static void CudaForward(
        CudaDevice cuda,
        CudaProblems problems,
        Tensor rows,
        nint rounded,
        Tensor? scales,
        Tensor centroids,
        ClusterMetric metric,
        Tensor labels,
        Tensor distances,
        nint totals)
    {
        int dimension = rows.Shape[1], clusters = centroids.Shape[0] / problems.Count, cosine = metric == ClusterMetric.Cosine ? 1 : 0;
        var workspace = cuda.Workspace;
        var before = workspace.Position;
        var view = problems.View;
        var who = KernelArgument.Structure(&view);
        int padded = DivideUp(clusters, LargeTile) * LargeTile;
        var offsets = workspace.Rent(new Shape(problems.Count, padded));
        var largest = workspace.Rent(new Shape(problems.Count));
        cuda.Zero(largest);
        cuda.Launch(
            NormsKernel, problems.Shape(DivideUp(padded, CudaWarps), CudaThreads), who, centroids.Address, centroids.RowStride, clusters, padded, dimension, cosine,
            offsets.Address, largest.Address);

        int tile = rounded != 0 || (problems.MostRows >= LargeTile && clusters >= LargeTile) ? LargeTile : SmallTile;
        int rowTiles = DivideUp(problems.MostRows, tile), columnTiles = DivideUp(clusters, tile);
        int splits = (int)Math.Clamp(WantedBlocks / ((long)rowTiles * problems.Active), 1, Math.Min(columnTiles, MostSplits)), each = DivideUp(columnTiles, splits);
        splits = DivideUp(columnTiles, each);
        var results = workspace.Rent(new Shape(splits, problems.Active, problems.MostRows, NearestTwoWords));
        var c = MatrixView.Of(centroids.Data, centroids.Shape[0], dimension, centroids.RowStride);
        if (rounded != 0)
        {
            SearchOnWarpgroups(cuda, problems, rounded, c, offsets, splits, each, results);
        }
        else
        {
            var search = SearchKernels[(2 * (int)cuda.Precision) + (tile == LargeTile ? 0 : 1)];
            var x = MatrixView.Of(rows.Data, problems.Rows, dimension, rows.RowStride);
            cuda.Launch(
                search, problems.Shape(rowTiles, 2 * tile, splits, search.SharedBytes), who, KernelArgument.Structure(&x), KernelArgument.Structure(&c), clusters,
                offsets.Address, dimension, each, results.Address);
        }

        int parts = DivideUp(problems.MostRows, FinishRows);
        var objectives = workspace.Rent(new Shape(problems.Count, parts, 2));
        var changes = workspace.Rent(new Shape(problems.Count, parts), ElementType.Int32);
        float sums = (dimension + 4) * RoundingFp32;
        float operands = 2.01f * (cuda.Precision switch { Precision.Tf32 => RoundingTf32, Precision.Bf16 => RoundingBf16, _ => 0f });
        cuda.Launch(
            FinishKernel, problems.Shape(parts, CudaThreads), who, rows.Address, rows.RowStride, dimension, centroids.Address, centroids.RowStride, clusters,
            padded, cosine, offsets.Address, largest.Address, results.Address, splits, sums + operands, sums, scales?.Address ?? 0, labels.Address,
            distances.Address, FinishRows, objectives.Address, changes.Address);
        cuda.Launch(TotalKernel, problems.Shape(1, CudaThreads), who, objectives.Address, changes.Address, parts, FinishRows, totals);
        workspace.Advance(before);
    }

    private static void SearchOnWarpgroups(
        CudaDevice cuda, CudaProblems problems, nint rounded, MatrixView c, Tensor offsets, int splits, int tilesEach, Tensor results)
    {
        int clusters = c.Rows / problems.Count, dimension = c.Columns;
        WarpgroupGemm.Round(cuda, ref c);

        // A box of rows may reach into the next problem, as what comes of them is not stored; one of centroids may not, since all of them compete.
        var rowMap = StreamedRows.Map(cuda, rounded, problems.Rows, dimension, StreamedRows.OwnTile);
        var centroidMap = StreamedRows.Map(cuda, (nint)c.Data, clusters, dimension, LargeTile, problems.Count);
        int pieces = StreamedRows.Pieces(dimension), resident = Math.Min(pieces, MostResident);
        int stages = Math.Min(MostStages, (resident <= MostResidentOfTwo ? PiecesOfTwo : PiecesOfOne) - resident);
        var view = problems.View;
        cuda.Launch(
            WarpgroupSearchKernel,
            problems.Shape(
                DivideUp(problems.MostRows, StreamedRows.OwnTile), StreamedRows.Threads, splits, StreamedRows.SharedBytes(resident, stages, LargeTile)),
            KernelArgument.Structure(&view), KernelArgument.Structure(&rowMap), KernelArgument.Structure(&centroidMap), offsets.Address,
            DivideUp(clusters, LargeTile), tilesEach, pieces, resident, stages, results.Address);
    }

    // The operands of a product, or in their place a tile of scores.
    private static int SharedBytes(Precision precision, int tile) => Math.Max(CudaGemm.SharedBytes(precision, tile), tile * (tile + 1) * sizeof(float));

    private static KernelId Search(Precision precision, int tile) =>
        new(CudaSource, $"k_means_assign_{precision.ToString().ToLowerInvariant()}_{tile}", SharedBytes(precision, tile));

    private static int DivideUp(int value, int by) => (value + by - 1) / by;
}
