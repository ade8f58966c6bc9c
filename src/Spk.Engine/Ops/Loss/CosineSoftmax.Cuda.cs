using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Loss;

/// <summary>Which rows get a gradient; the numbers of Role in engine/kernels/common/cosine_softmax.cuh.</summary>
[Flags]
internal enum CosineRole
{
    None = 0,
    Anchor = 1,
    Candidate = 2,
}

/// <summary>CosineProblem of engine/kernels/common/cosine_softmax.cuh, field by field; see there.</summary>
internal struct CudaCosineProblem
{
    public nint Anchors, Candidates, RoundedAnchors, RoundedCandidates, Positives, AnchorLabels, CandidateLabels, LearnedScale;
    public int Rows, KeyRows, CandidateRows, Width, Symmetric, PositiveOffset, ItemCount, KeysAreNegatives;
    public float Scale;
}

/// <summary>Runs the kernels that <see cref="SimilaritySoftmax"/> and <see cref="MarginClassifier"/> share.</summary>
internal static unsafe class CudaCosineSoftmax
{
    private const string Source = "loss/similarity_softmax";
    private const int RowsOfBlock = 32, ColumnsOfTile = 16, Threads = 256, SolveThreads = 128, FloatsOfSums = 5, FloatsOfFactors = 3;

    // Enough blocks for a large GPU while a part keeps some tiles. Depends on the shape only.
    private const int WantedBlocks = 264, ShortestPart = 8 * ColumnsOfTile;

    private static readonly KernelId RowsKernel = new(Source, "similarity_softmax_rows");
    private static readonly KernelId SolveKernel = new(Source, "similarity_softmax_solve");
    private static readonly KernelId SummarizeKernel = new(Source, "similarity_softmax_summarize");
    private static readonly KernelId NarrowGradientKernel = new(Source, "similarity_softmax_gradient_128");
    private static readonly KernelId WideGradientKernel = new(Source, "similarity_softmax_gradient_512");

    // On Hopper's warpgroups, as in common/cosine_wgmma.cuh: own and other rows of a tile, of 64 of the width; bytes of one row of these.
    private const int OwnTile = 128, OtherTile = 64, PieceWidth = 64, PieceBytes = PieceWidth * sizeof(ushort), SwizzleBytes = 1024;
    private const int WidestOnWarpgroups = 512, ShortestPartOnWarpgroups = 4 * OtherTile;

    // What rounding and launching it cost has to be earned, as of products: computed, not measured.
    private const long LeastWork = 1L << 28;

    // For widths up to 128, 256 and 512.
    private static readonly KernelId[] WarpgroupRowsKernels = OnWarpgroups("similarity_softmax_rows_wgmma");
    private static readonly KernelId[] WarpgroupGradientKernels = OnWarpgroups("similarity_softmax_gradient_wgmma");

    private static readonly KernelId CheckLabelsKernel = new("loss/margin_classifier", "margin_classifier_check");

    /// <summary>
    /// Where products are in bf16, the device is of compute capability 9.0 and there is enough work: rounds the rows, by which <see cref="Run"/> and
    /// <see cref="Gradient"/> leave the cosines to its warpgroups.
    /// </summary>
    /// <param name="cuda">The device.</param>
    /// <param name="problem">Gets the rounded rows, which live as long as what is rented now.</param>
    public static void Round(CudaDevice cuda, ref CudaCosineProblem problem)
    {
        long work = (long)problem.Rows * problem.CandidateRows * problem.Width;
        if (cuda.Precision != Precision.Bf16 || problem.Width > WidestOnWarpgroups || !WarpgroupGemm.IsOn(cuda)
            || !(cuda.AlwaysOnWarpgroups || work >= LeastWork) || !cuda.Has(WarpgroupRowsKernels[0]))
        {
            return;
        }

        var anchors = MatrixView.Of((float*)problem.Anchors, problem.Rows, problem.Width, problem.Width);
        var candidates = MatrixView.Of((float*)problem.Candidates, problem.CandidateRows, problem.Width, problem.Width);
        if (problem.Symmetric != 0)
        {
            WarpgroupGemm.Round(cuda, ref anchors);
            candidates = anchors;
        }
        else
        {
            WarpgroupGemm.Round(cuda, ref anchors, ref candidates);
        }

        (problem.RoundedAnchors, problem.RoundedCandidates) = ((nint)anchors.Data, (nint)candidates.Data);
    }

    /// <summary>Loss and statistics, and what <see cref="Gradient"/> needs.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="problem">Rows and masks.</param>
    /// <param name="margin">Margin on the positives.</param>
    /// <param name="loss">f32 [1].</param>
    /// <param name="statistics">f32 [3].</param>
    /// <param name="weights">Weights of the anchors' losses, repeated; null for 1.</param>
    /// <param name="factor">What all losses are multiplied by.</param>
    /// <param name="classes">Number of classes where the positives are labels to be checked; 0 where they need no check.</param>
    /// <param name="qualities">Of every anchor, where the margin adapts to it.</param>
    /// <returns>The factors of the anchors' derivatives.</returns>
    public static Tensor Run(
        CudaDevice cuda, CudaCosineProblem problem, MarginRule margin, Tensor loss, Tensor statistics, Tensor? weights = null, float factor = 1, int classes = 0,
        Tensor? qualities = null)
    {
        bool rounded = problem.RoundedAnchors != 0;
        int rowBlocks = DivideUp(problem.Rows, rounded ? OwnTile : RowsOfBlock);
        var (parts, each) = Parts(rowBlocks, problem.CandidateRows, rounded);
        var workspace = cuda.Workspace;
        var sums = workspace.Rent(new Shape(parts, problem.Rows, FloatsOfSums));
        var positives = workspace.Rent(new Shape(problem.Rows));
        var factors = workspace.Rent(new Shape(problem.Rows, FloatsOfFactors));
        var results = workspace.Rent(new Shape(2 * 4, problem.Rows)); // f64
        var hits = workspace.Rent(new Shape(problem.Rows), ElementType.Int32);

        var (kernel, shared) = rounded ? (WarpgroupRowsKernels[Variant(problem.Width)], SharedBytes(problem.Width)) : (RowsKernel, 0);
        var shape = new LaunchShape(rowBlocks, Threads, parts, SharedBytes: shared);
        cuda.Launch(kernel, shape, KernelArgument.Structure(&problem), each, sums.Address, positives.Address);
        var perAnchor = new LaunchShape(DivideUp(problem.Rows, SolveThreads), SolveThreads);
        if (classes > 0)
        {
            cuda.Launch(CheckLabelsKernel, perAnchor, problem.Positives, problem.Rows, classes, positives.Address);
        }

        cuda.Launch(
            SolveKernel, perAnchor, problem.Rows, sums.Address, parts, positives.Address, KernelArgument.Structure(&margin),
            qualities?.Address ?? 0, problem.Scale,
            problem.LearnedScale, weights?.Address ?? 0, weights?.Count ?? 1, factor, factors.Address, results.Address, hits.Address);
        Summarize(cuda, problem.Rows, results, hits, loss, statistics);
        return factors;
    }

    /// <summary>Mean loss and statistics from f64 results [4, rows] (loss, positive's cosine, sum and number of the negatives' cosines) and hits [rows].</summary>
    public static void Summarize(CudaDevice cuda, int rows, Tensor results, Tensor hits, Tensor loss, Tensor statistics) =>
        cuda.Launch(SummarizeKernel, new LaunchShape(1, Threads), rows, results.Address, hits.Address, loss.Address, statistics.Address);

    /// <summary>The gradient of the mean loss by unit rows: by the anchors, by the keys, or, where they are one set, by both at once.</summary>
    public static void Gradient(CudaDevice cuda, CudaCosineProblem problem, CosineRole roles, Tensor factors, nint result)
    {
        int rows = roles == CosineRole.Candidate ? problem.KeyRows : problem.Rows;
        int others = roles == CosineRole.Candidate ? problem.Rows : problem.CandidateRows;
        bool rounded = problem.RoundedAnchors != 0, wide = problem.Width > 128;
        var kernel = rounded ? WarpgroupGradientKernels[Variant(problem.Width)] : wide ? WideGradientKernel : NarrowGradientKernel;
        var shape = rounded
            ? new LaunchShape(DivideUp(rows, OwnTile), Threads, DivideUp(problem.Width, ElementsOnWarpgroups(problem.Width)), SharedBytes: SharedBytes(problem.Width))
            : new LaunchShape(DivideUp(rows, RowsOfBlock), Threads, DivideUp(problem.Width, wide ? 512 : 128));
        var (parts, each) = Parts(shape.GridX * shape.GridY, others, rounded);
        nint sums = parts == 1 ? result : cuda.Workspace.Rent(new Shape(parts, rows, problem.Width)).Address;
        cuda.Launch(kernel, shape with { GridZ = parts }, KernelArgument.Structure(&problem), (int)roles, factors.Address, each, sums);
        if (parts > 1)
        {
            CudaGemm.AddSplits(cuda, sums, parts, (float*)result, problem.Width, rows, problem.Width);
        }
    }

    private static (int Parts, int Each) Parts(int blocks, int candidates, bool rounded)
    {
        var (tile, shortest) = rounded ? (OtherTile, ShortestPartOnWarpgroups) : (ColumnsOfTile, ShortestPart);
        int parts = Math.Clamp(WantedBlocks / blocks, 1, Math.Max(1, candidates / shortest));
        int each = DivideUp(DivideUp(candidates, parts), tile) * tile;
        return (Math.Max(1, DivideUp(candidates, each)), each);
    }

    private static KernelId[] OnWarpgroups(string stem) =>
        [.. from width in new[] { 128, 256, WidestOnWarpgroups } select new KernelId(Source, $"{stem}_{width}", SharedBytes(width))];

    private static int Variant(int width) => width <= 128 ? 0 : width <= 256 ? 1 : 2;

    // Of the width, that a block sums of a gradient.
    private static int ElementsOnWarpgroups(int width) => width <= 128 ? 128 : 256;

    // Own rows and, up to a width of 256, two tiles of others, else one; what a sum's last elements beyond the width read of one; and what it takes to start
    // at a multiple of 1024.
    private static int SharedBytes(int width)
    {
        int pieces = DivideUp(width, PieceWidth), elements = ElementsOnWarpgroups(width) / PieceWidth, beyond = (DivideUp(pieces, elements) * elements) - pieces;
        return (((pieces * (OwnTile + ((width <= 256 ? 2 : 1) * OtherTile))) + (beyond * OtherTile)) * PieceBytes) + SwizzleBytes;
    }

    private static int DivideUp(int value, int by) => (value + by - 1) / by;
}
