using Spk.Engine.Devices.Cuda;
using Spk.Interop.Cuda;

namespace Spk.Engine.Numerics;

/// <summary>
/// What launches of kernels with engine/kernels/common/streamed_rows.cuh have in common: rows that stay in shared memory, others that stream past, both
/// brought by Hopper's copy engine.
/// </summary>
internal static class StreamedRows
{
    /// <summary>Own rows of a block.</summary>
    public const int OwnTile = 128;

    /// <summary>Threads of a block: two warpgroups, and a warp that starts copies.</summary>
    public const int Threads = 288;

    /// <summary>The same with a warpgroup that starts copies and leaves its registers to the others.</summary>
    public const int ThreadsForRegisters = 384;

    // Elements of a piece of the width: a line of the swizzle. What tiles start at a multiple of.
    private const int PieceWidth = 64, LineBytes = PieceWidth * sizeof(ushort), Alignment = 1024;

    // Rows of a rounded copy are padded to a multiple of this.
    private const int Unit = 8;

    /// <summary>Whether a device has warpgroups and tensor copies, and is to use both.</summary>
    public static bool IsOn(CudaDevice cuda) => WarpgroupGemm.IsOn(cuda) && WarpgroupGemm.HasBulkCopies(cuda);

    /// <summary>Pieces of a row.</summary>
    /// <param name="width">Elements.</param>
    public static int Pieces(int width) => CudaGemm.DivideUp(width, PieceWidth);

    /// <summary>Describes a rounded copy of rows to the copy engine.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="copy">Address, as <see cref="WarpgroupGemm.Round(CudaDevice, ref MatrixView)"/> made it.</param>
    /// <param name="rows">Rows of the copy, for each outer index.</param>
    /// <param name="width">Elements of a row before they were padded.</param>
    /// <param name="tile">Rows of a tile.</param>
    /// <param name="outer">Outer indices: beyond the last row of one come zeros, not the rows of the next.</param>
    public static TensorMap Map(CudaDevice cuda, nint copy, int rows, int width, int tile, int outer = 1) =>
        cuda.Driver.EncodeTensorMap(copy, [CudaGemm.DivideUp(width, Unit) * Unit, rows, outer], [PieceWidth, tile, 1]);

    /// <summary>Dynamic shared memory of a block.</summary>
    /// <param name="resident">Pieces of the own rows that stay there.</param>
    /// <param name="stages">Pieces of tiles of others.</param>
    /// <param name="tile">Rows of such a tile.</param>
    public static int SharedBytes(int resident, int stages, int tile) => (((resident * OwnTile) + (stages * tile)) * LineBytes) + Alignment;
}
