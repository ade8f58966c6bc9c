using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Numerics;

/// <summary>
/// Large bf16 products of <see cref="CudaGemm"/> on compute capability 9.0: operands are rounded once, then the tensor cores read them from
/// shared memory; engine/kernels/encoder/mat_mul_wgmma.cu. Hopper's copy engine brings their tiles there where the operands' shapes allow it, else
/// the threads that multiply do.
/// </summary>
internal static unsafe class WarpgroupGemm
{
    private const string Source = "encoder/mat_mul_wgmma";

    // Rows and columns of C that a block computes, as in common/gemm_wgmma.cuh; columns are bf16 elements of a 16-byte copy.
    internal const int TileRows = 128;
    internal const int TileK = 64;
    private const int Wide = 256, Narrow = 128, Unit = 8, Threads = 256;

    // A warp more starts bulk copies.
    internal const int BulkThreads = Threads + 32;

    // Boxes of fewer rows would be no whole pattern of the swizzle.
    private const int LeastBoxRows = 8;

    // Blocks that fill a large GPU (132 multiprocessors): shared memory and registers leave room for one wide or two narrow on each.
    private const int WideBlocks = 132, NarrowBlocks = 264;

    // What rounding costs has to be earned: an extra launch, some microseconds, by the work of the whole; 6 bytes of memory traffic an element by
    // how often each is used. Computed from the rates in docs/benchmarks.md and the peaks of an H200, not measured.
    private const long LeastWork = 1L << 28;
    private const int LeastUses = 192;

    // Of A and of B in memory.
    private static readonly string[] Orders = ["nn", "nt", "tn", "tt"];

    private static readonly KernelId RoundKernel = new(Source, "mat_mul_wgmma_round");

    // Wide, then narrow, each by the order of A and of B in memory.
    private static readonly KernelId[] Kernels = AllKernels("");

    // The same with bulk copies.
    private static readonly KernelId[] BulkKernels = AllKernels("bulk_");

    /// <summary>Whether a device has products of warpgroups, and is to use them.</summary>
    internal static bool IsOn(CudaDevice cuda) => cuda.UsesWarpgroups && cuda.ComputeCapability == (9, 0);

    /// <summary>Whether a device's copy engine is to bring tiles, and its driver describes tensors to it.</summary>
    internal static bool HasBulkCopies(CudaDevice cuda) => cuda.UsesBulkCopies && cuda.Driver.HasTensorMaps;

    /// <summary>Whether a product is to be computed here: the device has the instructions, the loaded binary uses them, and rounding pays.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="a">[M, K].</param>
    /// <param name="b">[K, N].</param>
    public static bool Suits(CudaDevice cuda, in MatrixView a, in MatrixView b) =>
        IsOn(cuda)
        && Fits(a)
        && Fits(b)
        && Pays(cuda, (long)a.Height * b.Width * a.Width, CopiedElements(a) + CopiedElements(b))
        && cuda.Has(Kernels[0]);

    /// <summary>Whether a product is large enough to pay for rounding its operands, or is to be taken however small.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="work">Pairs of numbers that are multiplied.</param>
    /// <param name="elements">Of both operands' copies.</param>
    internal static bool Pays(CudaDevice cuda, long work, long elements) =>
        cuda.AlwaysOnWarpgroups || (work >= LeastWork && work >= LeastUses * elements);

    /// <summary>C (+)= A·B, then the epilogue, by a plan for as many rows, columns and k.</summary>
    public static void Multiply(
        CudaDevice cuda, in Plan plan, MatrixView a, MatrixView b, float* c, int rowStride, bool accumulate, in ProductEpilogue epilogue)
    {
        int m = a.Height, n = b.Width, k = a.Width, parts = plan.Parts, each = plan.Each;
        var before = cuda.Workspace.Position;
        Round(cuda, ref a, ref b);
        int columns = plan.IsWide ? Wide : Narrow, tiles = Tiles(m, n, plan.IsWide);
        int kernel = (plan.IsWide ? 0 : 4) + (a.IsTransposed ? 2 : 0) + (b.IsTransposed ? 1 : 0);
        if (parts == 1)
        {
            Launch(cuda, kernel, tiles, parts, columns, a, b, c, rowStride, m, n, k, epilogue, accumulate, each);
        }
        else
        {
            var sums = cuda.Workspace.Rent(new Shape(parts, m, n));
            Launch(cuda, kernel, tiles, parts, columns, a, b, sums.Data, n, m, n, k, default, false, each);
            CudaGemm.AddSplits(cuda, sums.Address, parts, c, rowStride, m, n, accumulate, epilogue);
        }

        cuda.Workspace.Advance(before);
    }

    /// <summary>Rows of the boxes in which the copy engine can bring tiles of an operand's copy; 0 where it cannot.</summary>
    /// <param name="view">The operand.</param>
    /// <param name="lines">Rows of a tile, a power of two.</param>
    internal static int BoxRows(in MatrixView view, int lines)
    {
        // Coordinates outside of a tensor are zeros, never its mirror image; a box lies within one tap.
        if (view.Edge != EdgeRows.Zero || (view.Segments > 1 && view.SegmentWidth % TileK != 0))
        {
            return 0;
        }

        // A plain matrix: rows beyond its last one are outside of the tensor.
        if (view.Segments == 1 && view.Shift == 0 && view.Rows == view.Inner && view.Positions == view.Inner)
        {
            return lines;
        }

        // Boxes start at multiples of their rows and must not pass to the next outer index.
        while (lines >= LeastBoxRows && view.Inner % lines != 0)
        {
            lines /= 2;
        }

        return lines >= LeastBoxRows ? lines : 0;
    }

    private static void Launch(
        CudaDevice cuda, int kernel, int tiles, int parts, int columns, MatrixView a, MatrixView b, float* c, int rowStride, int m, int n, int k,
        ProductEpilogue epilogue, bool accumulate, int each)
    {
        int boxRowsA = BoxRows(a, a.IsTransposed ? TileK : TileRows), boxRowsB = BoxRows(b, b.IsTransposed ? columns : TileK);
        var (first, second, finish) = (KernelArgument.Structure(&a), KernelArgument.Structure(&b), KernelArgument.Structure(&epilogue));
        var shape = new LaunchShape(tiles, Threads, parts, SharedBytes: SharedBytes(columns));
        if (boxRowsA == 0 || boxRowsB == 0 || !HasBulkCopies(cuda))
        {
            cuda.Launch(Kernels[kernel], shape, first, second, c, rowStride, m, n, k, finish, accumulate ? 1 : 0, each);
            return;
        }

        TensorMap mapA = Map(cuda, a, boxRowsA), mapB = Map(cuda, b, boxRowsB);
        cuda.Launch(
            BulkKernels[kernel], shape with { BlockX = BulkThreads }, KernelArgument.Structure(&mapA), first, boxRowsA, KernelArgument.Structure(&mapB), second,
            boxRowsB, c, rowStride, m, n, k, finish, accumulate ? 1 : 0, each);
    }

    /// <summary>Describes a rounded copy to the copy engine.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="copy">As <see cref="Round(CudaDevice, ref MatrixView)"/> made it.</param>
    /// <param name="boxRows">Rows of a box.</param>
    internal static TensorMap Map(CudaDevice cuda, in MatrixView copy, int boxRows) => cuda.Driver.EncodeTensorMap(
        (nint)copy.Data, [copy.SegmentWidth, copy.Positions, CudaGemm.DivideUp(copy.Rows, copy.Inner)], [TileK, boxRows, 1]);

    /// <summary>Replaces both operands by rounded copies in the workspace.</summary>
    internal static void Round(CudaDevice cuda, ref MatrixView a, ref MatrixView b)
    {
        MatrixView wholeA = a, wholeB = b;
        (a, b) = (Copy(cuda, a), Copy(cuda, b));
        Round(cuda, 2, wholeA, a, wholeB, b);
    }

    /// <summary>Replaces one operand.</summary>
    internal static void Round(CudaDevice cuda, ref MatrixView view)
    {
        var whole = view;
        view = Copy(cuda, view);
        Round(cuda, 1, whole, view, whole, view);
    }

    private static void Round(CudaDevice cuda, int count, MatrixView a, in MatrixView copyOfA, MatrixView b, in MatrixView copyOfB)
    {
        int most = (int)(Math.Max(CopiedElements(copyOfA), CopiedElements(copyOfB)) / Unit);
        cuda.Launch(
            RoundKernel, new LaunchShape(CudaGemm.DivideUp(most, Threads), Threads, count), KernelArgument.Structure(&a), copyOfA.Data,
            KernelArgument.Structure(&b), copyOfB.Data);
    }

    // The same view of a copy with rows of a multiple of 8 elements, of which a float* counts two bytes each.
    private static MatrixView Copy(CudaDevice cuda, MatrixView view)
    {
        int width = PaddedWidth(view);
        view.Data = (float*)cuda.Workspace.Rent(new Shape((int)CopiedElements(view)), ElementType.Int16).Address;
        view.SegmentWidth = width;
        view.RowStride = width;
        view.OuterStride = (nint)view.Positions * width;
        return view;
    }

    // Segments follow each other along k: padded ones would not match the other operand.
    private static bool Fits(in MatrixView view) =>
        view.Rows > 0 && view.Columns > 0 && (view.Segments == 1 || view.SegmentWidth % Unit == 0) && CopiedElements(view) <= int.MaxValue;

    // The wide tile reads less, but must waste no more columns than the narrow one and give half of the multiprocessors a block, counting splits.
    private static bool IsWide(int m, int n, int k)
    {
        int across = CudaGemm.DivideUp(n, Wide), tiles = CudaGemm.DivideUp(m, TileRows) * across;
        return 2 * across == CudaGemm.DivideUp(n, Narrow) && tiles * CudaGemm.Split(k, tiles, WideBlocks, TileK).Parts >= WideBlocks / 2;
    }

    private static int Tiles(int m, int n, bool wide) => CudaGemm.DivideUp(m, TileRows) * CudaGemm.DivideUp(n, wide ? Wide : Narrow);

    private static int Blocks(bool wide) => wide ? WideBlocks : NarrowBlocks;

    private static int PaddedWidth(in MatrixView view) => CudaGemm.DivideUp(view.SegmentWidth, Unit) * Unit;

    private static long CopiedElements(in MatrixView view) => (long)CudaGemm.DivideUp(view.Rows, view.Inner) * view.Positions * PaddedWidth(view);

    private static KernelId[] AllKernels(string kind) =>
    [
        .. from columns in new[] { Wide, Narrow }
           from order in Orders
           select new KernelId(Source, $"mat_mul_wgmma_{columns}_{kind}{order}", SharedBytes(columns)),
    ];

    /// <summary>Dynamic shared memory of a block: stages of tiles of both operands, and what it takes to start at a multiple of 1024.</summary>
    internal static int SharedBytes(int columns) => ((columns == Wide ? 4 : 3) * (TileRows + columns) * TileK * sizeof(ushort)) + 1024;

    /// <summary>The tile of a product, and by how many parts of k, how long each.</summary>
    internal readonly record struct Plan(bool IsWide, int Parts, int Each)
    {
        public static Plan Of(int m, int n, int k) => Of(m, n, k, WarpgroupGemm.IsWide(m, n, k));

        /// <summary>With a given tile, and with k whole if need be.</summary>
        public static Plan Of(int m, int n, int k, bool wide, bool splits = true)
        {
            var (parts, each) = CudaGemm.Split(k, Tiles(m, n, wide), splits ? Blocks(wide) : 1, TileK);
            return new(wide, parts, each);
        }
    }
}
