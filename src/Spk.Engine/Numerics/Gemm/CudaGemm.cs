using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Numerics;

/// <summary>The matrix product of <see cref="Gemm"/> on a GPU, over the same views; engine/kernels/encoder/mat_mul.cu.</summary>
internal static unsafe class CudaGemm
{
    private const string Source = "encoder/mat_mul";

    // Rows and columns of C that a block of twice as many threads computes.
    private const int LargeTile = 128, SmallTile = 64;

    // Tiles along k, and the bytes between their rows in shared memory: as in common/gemm_math.cuh.
    internal const int TileK = 16;
    private const int GapBytes = 16, Stages = 3, StagesOfBf16 = 2;

    // Enough blocks for a large GPU (132 multiprocessors, two blocks each), but no part shorter than what a tile costs to start.
    // Constants, not the device's own numbers: the partition of sums, and so their bits, follow from the shape alone.
    private const int WantedBlocks = 264, ShortestPart = 256, MostParts = 64;

    private const int AddThreads = 256;

    // By precision, then tile (large, small), then the order of A and of B in memory.
    private static readonly KernelId[] Kernels = AllKernels();

    private static readonly KernelId AddSplitsKernel = new(Source, "mat_mul_add_splits");

    /// <summary>C (+)= A·B, then the epilogue.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="a">[M, K].</param>
    /// <param name="b">[K, N].</param>
    /// <param name="c">Where to write, M rows of N elements.</param>
    /// <param name="rowStride">Elements from row to row of c.</param>
    /// <param name="accumulate">Whether to add to c.</param>
    /// <param name="epilogue">What becomes of the sums.</param>
    /// <param name="precision">How operands are rounded; null for the device's <see cref="Device.Precision"/>.</param>
    public static void Multiply(
        CudaDevice cuda, in MatrixView a, in MatrixView b, float* c, int rowStride, bool accumulate, ProductEpilogue epilogue = default, Precision? precision = null)
    {
        if (a.Height > 0 && b.Width > 0)
        {
            Multiply(cuda, Plan.Of(cuda, a, b, precision ?? cuda.Precision), a, b, c, rowStride, accumulate, epilogue);
        }
    }

    /// <summary>y = A·B + bias for a linear map or a convolution, with the part of a batch norm that can be done on the way.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="a">[rows of y, K].</param>
    /// <param name="b">[K, columns of y].</param>
    /// <param name="bias">Added to every row, or null.</param>
    /// <param name="norm">The norm that follows, or null.</param>
    /// <param name="y">Where to write.</param>
    public static void Map(CudaDevice cuda, in MatrixView a, in MatrixView b, Tensor? bias, BatchNormEpilogue? norm, Tensor y)
    {
        if (a.Height == 0 || b.Width == 0)
        {
            return;
        }

        var plan = Plan.Of(cuda, a, b, cuda.Precision);
        var epilogue = new ProductEpilogue(bias, norm);
        if (plan.Parts == 1 && !a.IsTransposed && b.IsTransposed)
        {
            if (norm?.RentMoments(y, plan.TileRows) is { } moments)
            {
                epilogue.Moments = moments.Data;
            }

            if (norm?.RentUtteranceSums(y, plan.TileRows) is { } sums)
            {
                epilogue.UtteranceSums = sums.Data;
                epilogue.Frames = y.Shape[1];
            }
        }

        Multiply(cuda, plan, a, b, y.Data, y.RowStride, accumulate: false, epilogue);
    }

    /// <summary>
    /// x's gradient (+)= A·B, by the data of a linear map or a convolution. Where it is nothing but this product and x a batch norm's output, with the sums
    /// that the norm asks for.
    /// </summary>
    /// <param name="cuda">The device.</param>
    /// <param name="a">[rows of x, K].</param>
    /// <param name="b">[K, columns of x].</param>
    /// <param name="x">Whose gradient.</param>
    public static void Gradient(CudaDevice cuda, in MatrixView a, in MatrixView b, Tensor x)
    {
        var dx = x.GradForWrite(out bool adds);
        if (a.Height == 0 || b.Width == 0)
        {
            return;
        }

        var plan = Plan.Of(cuda, a, b, cuda.Precision);
        var epilogue = default(ProductEpilogue);
        if (!adds && plan.Parts == 1 && !a.IsTransposed && !b.IsTransposed
            && x.WantedSums is { } wanted && ReferenceEquals(wanted.Y, x) && wanted.Rent(plan.TileRows) is { } sums)
        {
            epilogue = new ProductEpilogue(wanted, sums);
            dx.RunSums = sums;
        }

        Multiply(cuda, plan, a, b, dx.Data, dx.RowStride, adds, epilogue);
    }

    /// <summary>C (+)= the sum of parts [splits, M, N], in their order, then the epilogue.</summary>
    public static void AddSplits(
        CudaDevice cuda, nint parts, int splits, float* c, int rowStride, int m, int n, bool accumulate = false, ProductEpilogue epilogue = default)
    {
        int blocks = (int)((((long)m * n) + AddThreads - 1) / AddThreads);
        cuda.Launch(
            AddSplitsKernel, new LaunchShape(blocks, AddThreads), parts, splits, c, rowStride, m, n,
            KernelArgument.Structure(&epilogue), accumulate ? 1 : 0);
    }

    /// <summary>How the sums over k are divided so that there are enough blocks, and none too short.</summary>
    /// <param name="k">The inner length.</param>
    /// <param name="tiles">Tiles of C.</param>
    /// <param name="wantedBlocks">Blocks that fill a device.</param>
    /// <param name="tileK">Length of a tile along k.</param>
    /// <returns>The number of parts, and how much of k each has, a multiple of a tile.</returns>
    internal static (int Parts, int Each) Split(int k, int tiles, int wantedBlocks, int tileK)
    {
        int parts = Math.Clamp(wantedBlocks / tiles, 1, Math.Clamp(k / ShortestPart, 1, MostParts));
        int each = Math.Max(1, DivideUp(DivideUp(k, parts), tileK)) * tileK;
        return (Math.Max(1, DivideUp(k, each)), each);
    }

    private static void Multiply(
        CudaDevice cuda, in Plan plan, MatrixView a, MatrixView b, float* c, int rowStride, bool accumulate, ProductEpilogue epilogue)
    {
        if (plan.OnWarpgroups is { } onWarpgroups)
        {
            WarpgroupGemm.Multiply(cuda, onWarpgroups, a, b, c, rowStride, accumulate, epilogue);
            return;
        }

        int m = a.Height, n = b.Width, k = a.Width, tile = plan.TileRows, parts = plan.Parts, each = plan.Each;

        // Without columns nothing is read, but kernels divide by the width.
        a.SegmentWidth = Math.Max(1, a.SegmentWidth);
        b.SegmentWidth = Math.Max(1, b.SegmentWidth);
        var kernel = Kernels[(8 * (int)plan.Precision) + (tile == LargeTile ? 0 : 4) + (a.IsTransposed ? 2 : 0) + (b.IsTransposed ? 1 : 0)];
        var shape = new LaunchShape(Tiles(m, n, tile), 2 * tile, parts, SharedBytes: SharedBytes(plan.Precision, tile));
        var (first, second) = (KernelArgument.Structure(&a), KernelArgument.Structure(&b));
        if (parts == 1)
        {
            cuda.Launch(kernel, shape, first, second, c, rowStride, m, n, k, KernelArgument.Structure(&epilogue), accumulate ? 1 : 0, each);
            return;
        }

        var sums = cuda.Workspace.Rent(new Shape(parts, m, n));
        var none = default(ProductEpilogue);
        cuda.Launch(kernel, shape, first, second, sums.Address, n, m, n, k, KernelArgument.Structure(&none), 0, each);
        AddSplits(cuda, sums.Address, parts, c, rowStride, m, n, accumulate, epilogue);
    }

    // Large tiles halve the reads of global memory, but there must be enough of them, counting the splits they allow, to occupy a quarter
    // of the wanted blocks.
    private static int Tile(int m, int n, int k) =>
        m >= LargeTile && n >= LargeTile && (long)Tiles(m, n, LargeTile) * Math.Max(1, k / (2 * ShortestPart)) >= WantedBlocks / 4
            ? LargeTile
            : SmallTile;

    // Fits: C has no more elements than an int counts.
    private static int Tiles(int m, int n, int tile) => DivideUp(m, tile) * DivideUp(n, tile);

    /// <summary>Dynamic shared memory of a block, for rows along k, which take the most.</summary>
    internal static int SharedBytes(Precision precision, int tile) => 2 * RingBytes(precision, tile);

    /// <summary>Shared memory of one operand's tiles that are under way or in use, rows along k.</summary>
    internal static int RingBytes(Precision precision, int tile) => (precision == Precision.Bf16 ? StagesOfBf16 : Stages) * TileBytes(precision, tile);

    /// <summary>Shared memory of one such tile of one operand.</summary>
    internal static int TileBytes(Precision precision, int tile) =>
        tile * ((TileK * (precision == Precision.Bf16 ? sizeof(ushort) : sizeof(float))) + GapBytes);

    private static KernelId[] AllKernels()
    {
        var kernels = new List<KernelId>();
        foreach (var precision in Enum.GetValues<Precision>())
        {
            foreach (int tile in (ReadOnlySpan<int>)[LargeTile, SmallTile])
            {
                foreach (string order in (ReadOnlySpan<string>)["nn", "nt", "tn", "tt"])
                {
                    string name = precision.ToString().ToLowerInvariant();
                    kernels.Add(new KernelId(Source, $"mat_mul_{name}_{tile}_{order}", SharedBytes(precision, tile)));
                }
            }
        }

        return [.. kernels];
    }

    internal static int DivideUp(int value, int by) => (value + by - 1) / by;

    // How a product is computed, decided once: on warpgroups or by tiles of how many rows, and by how many parts of k, how long each.
    private readonly record struct Plan(Precision Precision, WarpgroupGemm.Plan? OnWarpgroups, int TileRows, int Parts, int Each)
    {
        public static Plan Of(CudaDevice cuda, in MatrixView a, in MatrixView b, Precision precision)
        {
            int m = a.Height, n = b.Width, k = a.Width;
            if (precision == Precision.Bf16 && k > 0 && WarpgroupGemm.Suits(cuda, a, b))
            {
                var onWarpgroups = WarpgroupGemm.Plan.Of(m, n, k);
                return new(precision, onWarpgroups, WarpgroupGemm.TileRows, onWarpgroups.Parts, onWarpgroups.Each);
            }

            int tile = Tile(m, n, k);
            var (parts, each) = Split(k, Tiles(m, n, tile), WantedBlocks, TileK);
            return new(precision, null, tile, parts, each);
        }
    }
}
