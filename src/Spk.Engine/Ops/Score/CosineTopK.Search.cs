using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Score;

/// <content>The CUDA side for short lists: neighbours are found where the tiles of cosines lie, which are never stored.</content>
public static unsafe partial class CosineTopK
{
    /// <summary>Most neighbours that are searched for like that: a lane of a warp each.</summary>
    internal const int MostSearched = 32;

    // As common/gemm.cuh; enough blocks for a large GPU, a constant, as everywhere.
    private const int LargeTile = 128, SmallTile = 64, WantedBlocks = 264;

    // On Hopper's warpgroups, pieces of 64 of the width: those of a block's rows that stay in shared memory, and of these and of stages of keys together,
    // beside the lists.
    // Where some come again with each tile of keys, more of the room goes to stages, of which such a piece takes two.
    private const int MostResident = 8, ResidentOfMore = 5, MostPieces = 11, MostStages = 8;

    // Warps of a block that combines lists, and lists for each of them.
    private const int CombineWarps = 8, ListsOfWarp = 4, WarpThreads = 32;

    private static readonly KernelId CombineKernel = new(CudaSource, "cosine_top_k_combine");

    // By precision, then tile (large, small).
    private static readonly KernelId[] SearchKernels =
    [
        SearchKernel(Precision.Fp32, LargeTile), SearchKernel(Precision.Fp32, SmallTile), SearchKernel(Precision.Tf32, LargeTile),
        SearchKernel(Precision.Tf32, SmallTile), SearchKernel(Precision.Bf16, LargeTile), SearchKernel(Precision.Bf16, SmallTile),
    ];

    private static readonly KernelId WarpgroupSearchKernel =
        new(CudaSource, "cosine_top_k_wgmma", StreamedRows.SharedBytes(MostResident, MostPieces - MostResident, LargeTile) + ListBytes(LargeTile, MostSearched));

    /// <summary>Searches unit rows.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="queries">f32 [N, D], N of 1 or more.</param>
    /// <param name="keys">f32 [M, D].</param>
    /// <param name="cosines">f32 [N, k], out; k of at most <see cref="MostSearched"/> and M.</param>
    /// <param name="indices">i32 [N, k], out.</param>
    /// <param name="wantedBlocks">Among how many blocks keys are shared where rows are few; the result does not depend on it.</param>
    internal static void CudaSearch(CudaDevice cuda, Tensor queries, Tensor keys, Tensor cosines, Tensor indices, int wantedBlocks = WantedBlocks)
    {
        int rows = queries.Shape[0], width = queries.Shape[1], count = keys.Shape[0], neighbours = cosines.Shape[1];
        var workspace = cuda.Workspace;
        var before = workspace.Position;
        var (q, y) = (MatrixView.Of(queries.Data, rows, width, queries.RowStride), MatrixView.Of(keys.Data, count, width, keys.RowStride));
        bool onWarpgroups = cuda.Precision == Precision.Bf16 && StreamedRows.IsOn(cuda) && WarpgroupGemm.Suits(cuda, q, y.Transposed) && cuda.Has(WarpgroupSearchKernel);
        int tile = onWarpgroups || (rows >= LargeTile && count >= LargeTile) ? LargeTile : SmallTile;
        int rowTiles = CudaGemm.DivideUp(rows, tile), keyTiles = CudaGemm.DivideUp(count, tile);
        int each = CudaGemm.DivideUp(keyTiles, Math.Clamp(wantedBlocks / rowTiles, 1, keyTiles)), parts = CudaGemm.DivideUp(keyTiles, each);
        nint lists = parts == 1 ? 0 : workspace.Rent(new Shape(parts, rows, neighbours, sizeof(ulong) / sizeof(float))).Address;
        if (onWarpgroups)
        {
            SearchOnWarpgroups(cuda, q, y, each, parts, lists, cosines, indices);
        }
        else
        {
            // Without columns nothing is read, but kernels divide by the width.
            q.SegmentWidth = y.SegmentWidth = Math.Max(1, width);
            int bytes = OperandBytes(cuda.Precision, tile) + ListBytes(tile, neighbours);
            cuda.Launch(
                SearchKernels[(2 * (int)cuda.Precision) + (tile == LargeTile ? 0 : 1)], new LaunchShape(rowTiles, 2 * tile, parts, SharedBytes: bytes),
                KernelArgument.Structure(&q), KernelArgument.Structure(&y), width, each, neighbours, lists, cosines.Address, indices.Address);
        }

        if (parts > 1)
        {
            int warps = Math.Clamp(parts / ListsOfWarp, 1, CombineWarps);
            cuda.Launch(CombineKernel, new LaunchShape(rows, warps * WarpThreads), lists, parts, rows, neighbours, cosines.Address, indices.Address);
        }

        workspace.Advance(before);
    }

    private static void SearchOnWarpgroups(
        CudaDevice cuda, MatrixView queries, MatrixView keys, int tilesEach, int parts, nint lists, Tensor cosines, Tensor indices)
    {
        int rows = queries.Rows, width = queries.Columns, count = keys.Rows, neighbours = cosines.Shape[1];
        if (queries.Data == keys.Data)
        {
            WarpgroupGemm.Round(cuda, ref queries);
            keys = queries;
        }
        else
        {
            WarpgroupGemm.Round(cuda, ref queries, ref keys);
        }

        TensorMap queryMap = StreamedRows.Map(cuda, (nint)queries.Data, rows, width, StreamedRows.OwnTile);
        var keyMap = StreamedRows.Map(cuda, (nint)keys.Data, count, width, LargeTile);
        int pieces = StreamedRows.Pieces(width), resident = pieces > MostResident ? ResidentOfMore : pieces, stages = Math.Min(MostStages, MostPieces - resident);
        int bytes = StreamedRows.SharedBytes(resident, stages, LargeTile) + ListBytes(LargeTile, neighbours);
        cuda.Launch(
            WarpgroupSearchKernel, new LaunchShape(CudaGemm.DivideUp(rows, StreamedRows.OwnTile), StreamedRows.Threads, parts, SharedBytes: bytes),
            KernelArgument.Structure(&queryMap), KernelArgument.Structure(&keyMap), rows, count, tilesEach, pieces, resident, stages, neighbours, lists,
            cosines.Address, indices.Address);
    }

    // The operands of a product, or in their place a tile of cosines.
    private static int OperandBytes(Precision precision, int tile) => Math.Max(CudaGemm.SharedBytes(precision, tile), tile * tile * sizeof(float));

    private static int ListBytes(int tile, int neighbours) => tile * neighbours * sizeof(ulong);

    private static KernelId SearchKernel(Precision precision, int tile) =>
        new(CudaSource, $"cosine_top_k_{precision.ToString().ToLowerInvariant()}_{tile}", OperandBytes(precision, tile) + ListBytes(tile, MostSearched));
}
