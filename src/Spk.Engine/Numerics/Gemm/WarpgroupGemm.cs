using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Numerics;

/// <summary>
/// Large bf16 products of <see cref="CudaGemm"/> on compute capability 9.0: operands are rounded once, then the tensor cores read them from
/// shared memory; engine/kernels/encoder/mat_mul_wgmma.cu.
/// </summary>
internal static unsafe class WarpgroupGemm
{
    private const string Source = "encoder/mat_mul_wgmma";

    // Rows and columns of C that a block computes, as in common/gemm_wgmma.cuh; columns are bf16 elements of a 16-byte copy.
    private const int TileRows = 128, Wide = 256, Narrow = 128, TileK = 64, Unit = 8, Threads = 256;

    // Blocks that fill a large GPU (132 multiprocessors): shared memory and registers leave room for one wide or two narrow on each.
    private const int WideBlocks = 132, NarrowBlocks = 264;

    // What rounding costs has to be earned: an extra launch, some microseconds, by the work of the whole; 6 bytes of memory traffic an element by
    // how often each is used. Computed from the rates in docs/benchmarks.md and the peaks of an H200, not measured.
    private const long LeastWork = 1L << 28;
    private const int LeastUses = 192;

    private static readonly KernelId RoundKernel = new(Source, "mat_mul_wgmma_round");

    // Wide, then narrow, each by the order of A and of B in memory.
    private static readonly KernelId[] Kernels =
    [
        .. from columns in new[] { Wide, Narrow }
           from order in new[] { "nn", "nt", "tn", "tt" }
           select new KernelId(Source, $"mat_mul_wgmma_{columns}_{order}", SharedBytes(columns)),
    ];

    /// <summary>Dynamic shared memory of a block with the narrow tile.</summary>
    internal static int NarrowSharedBytes => SharedBytes(Narrow);

    /// <summary>Whether a product is to be computed here: the device has the instructions, the loaded binary uses them, and rounding pays.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="a">[M, K].</param>
    /// <param name="b">[K, N].</param>
    public static bool Suits(CudaDevice cuda, in MatrixView a, in MatrixView b) =>
        cuda.ComputeCapability == (9, 0)
        && Fits(a)
        && Fits(b)
        && (cuda.AlwaysOnWarpgroups || Pays(a, b))
        && cuda.Has(Kernels[0]);

    /// <summary>C (+)= A·B + bias, with the arguments of <see cref="CudaGemm.Multiply"/>.</summary>
    public static void Multiply(CudaDevice cuda, in MatrixView a, in MatrixView b, float* c, int rowStride, bool accumulate, float* bias) =>
        Multiply(cuda, a, b, c, rowStride, accumulate, bias, IsWide(a.Height, b.Width, a.Width));

    /// <summary>The same with a given tile.</summary>
    internal static void Multiply(CudaDevice cuda, MatrixView a, MatrixView b, float* c, int rowStride, bool accumulate, float* bias, bool wide)
    {
        int m = a.Height, n = b.Width, k = a.Width;
        var before = cuda.Workspace.Position;
        Round(cuda, ref a, ref b);
        int columns = wide ? Wide : Narrow, tiles = CudaGemm.DivideUp(m, TileRows) * CudaGemm.DivideUp(n, columns);
        var (parts, each) = CudaGemm.Split(k, tiles, wide ? WideBlocks : NarrowBlocks, TileK);
        var kernel = Kernels[(wide ? 0 : 4) + (a.IsTransposed ? 2 : 0) + (b.IsTransposed ? 1 : 0)];
        var shape = new LaunchShape(tiles, Threads, parts, SharedBytes: SharedBytes(columns));
        var (first, second) = (KernelArgument.Structure(&a), KernelArgument.Structure(&b));
        if (parts == 1)
        {
            cuda.Launch(kernel, shape, first, second, c, rowStride, m, n, k, bias, accumulate ? 1 : 0, each);
        }
        else
        {
            var sums = cuda.Workspace.Rent(new Shape(parts, m, n));
            cuda.Launch(kernel, shape, first, second, sums.Address, n, m, n, k, (nint)0, 0, each);
            CudaGemm.AddSplits(cuda, sums.Address, parts, c, rowStride, m, n, bias, accumulate);
        }

        cuda.Workspace.Advance(before);
    }

    /// <summary>Replaces both operands by rounded copies in the workspace.</summary>
    internal static void Round(CudaDevice cuda, ref MatrixView a, ref MatrixView b)
    {
        MatrixView wholeA = a, wholeB = b;
        int most = (int)(Math.Max(CopiedElements(a), CopiedElements(b)) / Unit);
        (a, b) = (Copy(cuda, a), Copy(cuda, b));
        cuda.Launch(
            RoundKernel, new LaunchShape(CudaGemm.DivideUp(most, Threads), Threads, 2), KernelArgument.Structure(&wholeA), a.Data,
            KernelArgument.Structure(&wholeB), b.Data);
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

    private static bool Pays(in MatrixView a, in MatrixView b)
    {
        long work = (long)a.Height * b.Width * a.Width;
        return work >= LeastWork && work >= LeastUses * (CopiedElements(a) + CopiedElements(b));
    }

    // The wide tile reads less, but must waste no more columns than the narrow one and give half of the multiprocessors a block, counting splits.
    private static bool IsWide(int m, int n, int k)
    {
        int across = CudaGemm.DivideUp(n, Wide), tiles = CudaGemm.DivideUp(m, TileRows) * across;
        return 2 * across == CudaGemm.DivideUp(n, Narrow) && tiles * CudaGemm.Split(k, tiles, WideBlocks, TileK).Parts >= WideBlocks / 2;
    }

    private static int PaddedWidth(in MatrixView view) => CudaGemm.DivideUp(view.SegmentWidth, Unit) * Unit;

    private static long CopiedElements(in MatrixView view) => (long)CudaGemm.DivideUp(view.Rows, view.Inner) * view.Positions * PaddedWidth(view);

    // Stages of tiles of both operands, and what it takes to start at a multiple of 1024.
    private static int SharedBytes(int columns) => ((columns == Wide ? 4 : 3) * (TileRows + columns) * TileK * sizeof(ushort)) + 1024;
}
