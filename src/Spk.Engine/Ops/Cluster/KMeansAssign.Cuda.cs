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
    private const int CudaThreads = 256, CudaWarps = 8, FinishRows = 128, NearestTwoWords = 3;

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
        int count = rows.Shape[0], dimension = rows.Shape[1], clusters = centroids.Shape[0], cosine = metric == ClusterMetric.Cosine ? 1 : 0;
        if (count == 0)
        {
            return default;
        }

        // What is rented here goes back: a whole optimisation runs in one step of the workspace.
        var workspace = cuda.Workspace;
        var before = workspace.Position;
        int padded = DivideUp(clusters, LargeTile) * LargeTile;
        var offsets = workspace.Rent(new Shape(padded));
        var largest = workspace.Rent(new Shape(1));
        cuda.Zero(largest);
        cuda.Launch(
            NormsKernel, new LaunchShape(DivideUp(padded, CudaWarps), CudaThreads), centroids.Address, centroids.RowStride, clusters, padded, dimension, cosine,
            offsets.Address, largest.Address);

        var x = MatrixView.Of(rows.Data, count, dimension, rows.RowStride);
        var c = MatrixView.Of(centroids.Data, clusters, dimension, centroids.RowStride);
        bool onWarpgroups = cuda.Precision == Precision.Bf16 && StreamedRows.IsOn(cuda) && WarpgroupGemm.Suits(cuda, x, c.Transposed)
            && cuda.Has(WarpgroupSearchKernel);
        int tile = onWarpgroups || (count >= LargeTile && clusters >= LargeTile) ? LargeTile : SmallTile;
        int rowTiles = DivideUp(count, tile), columnTiles = DivideUp(clusters, tile);
        int splits = Math.Clamp(WantedBlocks / rowTiles, 1, Math.Min(columnTiles, MostSplits)), each = DivideUp(columnTiles, splits);
        splits = DivideUp(columnTiles, each);
        var results = workspace.Rent(new Shape(splits, count, NearestTwoWords));
        if (onWarpgroups)
        {
            SearchOnWarpgroups(cuda, x, c, offsets, splits, each, results);
        }
        else
        {
            var search = SearchKernels[(2 * (int)cuda.Precision) + (tile == LargeTile ? 0 : 1)];
            cuda.Launch(
                search, new LaunchShape(rowTiles, 2 * tile, splits, SharedBytes: search.SharedBytes), KernelArgument.Structure(&x),
                KernelArgument.Structure(&c), offsets.Address, dimension, each, results.Address);
        }

        int parts = DivideUp(count, FinishRows);
        var objectives = workspace.Rent(new Shape(parts, 2));
        var changes = workspace.Rent(new Shape(parts), ElementType.Int32);
        var total = workspace.Rent(new Shape(2, 2));
        float sums = (dimension + 4) * RoundingFp32;
        float operands = 2.01f * (cuda.Precision switch { Precision.Tf32 => RoundingTf32, Precision.Bf16 => RoundingBf16, _ => 0f });
        cuda.Launch(
            FinishKernel, new LaunchShape(parts, CudaThreads), rows.Address, rows.RowStride, count, dimension, centroids.Address, centroids.RowStride,
            clusters, cosine, offsets.Address, largest.Address, results.Address, splits, sums + operands, sums, scales?.Address ?? 0, labels.Address,
            distances.Address, FinishRows, objectives.Address, changes.Address);
        cuda.Launch(TotalKernel, new LaunchShape(1, CudaThreads), objectives.Address, changes.Address, parts, total.Address);
        double* host = stackalloc double[2];
        cuda.Download(host, total.Address, 2 * sizeof(double));
        workspace.Advance(before);
        return new KMeansAssignment(host[0], (int)host[1]);
    }

    private static void SearchOnWarpgroups(
        CudaDevice cuda, MatrixView x, MatrixView c, Tensor offsets, int splits, int tilesEach, Tensor results)
    {
        int count = x.Rows, clusters = c.Rows, dimension = x.Columns;
        WarpgroupGemm.Round(cuda, ref x, ref c);
        var rowMap = StreamedRows.Map(cuda, (nint)x.Data, count, dimension, StreamedRows.OwnTile);
        var centroidMap = StreamedRows.Map(cuda, (nint)c.Data, clusters, dimension, LargeTile);
        int pieces = StreamedRows.Pieces(dimension), resident = Math.Min(pieces, MostResident);
        int stages = Math.Min(MostStages, (resident <= MostResidentOfTwo ? PiecesOfTwo : PiecesOfOne) - resident);
        cuda.Launch(
            WarpgroupSearchKernel,
            new LaunchShape(
                DivideUp(count, StreamedRows.OwnTile), StreamedRows.Threads, splits, SharedBytes: StreamedRows.SharedBytes(resident, stages, LargeTile)),
            KernelArgument.Structure(&rowMap), KernelArgument.Structure(&centroidMap), offsets.Address, count, DivideUp(clusters, LargeTile), tilesEach, pieces,
            resident, stages, results.Address);
    }

    // The operands of a product, or in their place a tile of scores.
    private static int SharedBytes(Precision precision, int tile) => Math.Max(CudaGemm.SharedBytes(precision, tile), tile * (tile + 1) * sizeof(float));

    private static KernelId Search(Precision precision, int tile) =>
        new(CudaSource, $"k_means_assign_{precision.ToString().ToLowerInvariant()}_{tile}", SharedBytes(precision, tile));

    private static int DivideUp(int value, int by) => (value + by - 1) / by;
}
