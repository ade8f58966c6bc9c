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
    public nint Anchors, Candidates, Positives, AnchorLabels, CandidateLabels, LearnedScale;
    public int Rows, KeyRows, CandidateRows, Width, Symmetric, PositiveOffset, ItemCount, KeysAreNegatives;
    public float Scale;
}

/// <summary>Copies of a problem's rows rounded to bf16, for warpgroups; none by default.</summary>
/// <param name="Anchors">Address, of rows padded to a multiple of 8.</param>
/// <param name="Candidates">The same of the candidates.</param>
internal readonly record struct RoundedCosineRows(nint Anchors, nint Candidates)
{
    public bool Exist => Anchors != 0;
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

    // On Hopper's warpgroups, as in common/cosine_wgmma.cuh: other rows of a tile; stages of their pieces for the narrowest rows, and for wider ones.
    private const int OtherTile = 64, NarrowStages = 8, WideStages = 12;
    private const int Narrow = 128, WidestOnWarpgroups = 512, ShortestPartOnWarpgroups = 4 * OtherTile;

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
    /// <param name="problem">The rows.</param>
    /// <returns>The rounded rows, which live as long as what is rented now.</returns>
    public static RoundedCosineRows Round(CudaDevice cuda, in CudaCosineProblem problem)
    {
        long work = (long)problem.Rows * problem.CandidateRows * problem.Width;
        if (cuda.Precision != Precision.Bf16 || problem.Width > WidestOnWarpgroups || !StreamedRows.IsOn(cuda)
            || !(cuda.AlwaysOnWarpgroups || work >= LeastWork) || !cuda.Has(WarpgroupRowsKernels[0]))
        {
            return default;
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

        return new RoundedCosineRows((nint)anchors.Data, (nint)candidates.Data);
    }

    /// <summary>Loss and statistics, and what <see cref="Gradient"/> needs.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="problem">Rows and masks.</param>
    /// <param name="rounded">Copies of the rows, where warpgroups are to have the cosines.</param>
    /// <param name="margin">Margin on the positives.</param>
    /// <param name="loss">f32 [1].</param>
    /// <param name="statistics">f32 [3].</param>
    /// <param name="weights">Weights of the anchors' losses, repeated; null for 1.</param>
    /// <param name="factor">What all losses are multiplied by.</param>
    /// <param name="classes">Number of classes where the positives are labels to be checked; 0 where they need no check.</param>
    /// <param name="qualities">Of every anchor, where the margin adapts to it.</param>
    /// <returns>The factors of the anchors' derivatives.</returns>
    public static Tensor Run(
        CudaDevice cuda, CudaCosineProblem problem, RoundedCosineRows rounded, MarginRule margin, Tensor loss, Tensor statistics, Tensor? weights = null, float factor = 1, int classes = 0,
        Tensor? qualities = null)
    {
        int rowBlocks = DivideUp(problem.Rows, rounded.Exist ? StreamedRows.OwnTile : RowsOfBlock);
        var (parts, each) = Parts(rowBlocks, problem.CandidateRows, rounded.Exist);
        var workspace = cuda.Workspace;
        var sums = workspace.Rent(new Shape(parts, problem.Rows, FloatsOfSums));
        var positives = workspace.Rent(new Shape(problem.Rows));
        var factors = workspace.Rent(new Shape(problem.Rows, FloatsOfFactors));
        var results = workspace.Rent(new Shape(2 * 4, problem.Rows)); // f64
        var hits = workspace.Rent(new Shape(problem.Rows), ElementType.Int32);

        if (rounded.Exist)
        {
            var (own, other) = Maps(cuda, problem, rounded, byAnchor: true);
            var shape = new LaunchShape(rowBlocks, StreamedRows.Threads, parts, SharedBytes: SharedBytes(problem.Width));
            cuda.Launch(
                WarpgroupRowsKernels[Variant(problem.Width)], shape, KernelArgument.Structure(&own), KernelArgument.Structure(&other),
                KernelArgument.Structure(&problem), each, sums.Address, positives.Address);
        }
        else
        {
            cuda.Launch(RowsKernel, new LaunchShape(rowBlocks, Threads, parts), KernelArgument.Structure(&problem), each, sums.Address, positives.Address);
        }

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
    public static void Gradient(CudaDevice cuda, CudaCosineProblem problem, RoundedCosineRows rounded, CosineRole roles, Tensor factors, nint result)
    {
        int rows = roles == CosineRole.Candidate ? problem.KeyRows : problem.Rows;
        int others = roles == CosineRole.Candidate ? problem.Rows : problem.CandidateRows;
        bool wide = problem.Width > Narrow;
        var shape = rounded.Exist
            ? new LaunchShape(
                DivideUp(rows, StreamedRows.OwnTile), StreamedRows.ThreadsForRegisters, DivideUp(problem.Width, wide ? 256 : 128),
                SharedBytes: SharedBytes(problem.Width))
            : new LaunchShape(DivideUp(rows, RowsOfBlock), Threads, DivideUp(problem.Width, wide ? 512 : 128));
        var (parts, each) = Parts(shape.GridX * shape.GridY, others, rounded.Exist);
        nint sums = parts == 1 ? result : cuda.Workspace.Rent(new Shape(parts, rows, problem.Width)).Address;
        if (rounded.Exist)
        {
            var (own, other) = Maps(cuda, problem, rounded, byAnchor: (roles & CosineRole.Anchor) != 0);
            cuda.Launch(
                WarpgroupGradientKernels[Variant(problem.Width)], shape with { GridZ = parts }, KernelArgument.Structure(&own), KernelArgument.Structure(&other),
                KernelArgument.Structure(&problem), (int)roles, factors.Address, each, sums);
        }
        else
        {
            cuda.Launch(
                wide ? WideGradientKernel : NarrowGradientKernel, shape with { GridZ = parts }, KernelArgument.Structure(&problem), (int)roles, factors.Address,
                each, sums);
        }

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
        [.. from width in new[] { Narrow, 256, WidestOnWarpgroups } select new KernelId(Source, $"{stem}_{width}", SharedBytes(width))];

    private static (TensorMap Own, TensorMap Other) Maps(CudaDevice cuda, in CudaCosineProblem problem, RoundedCosineRows rounded, bool byAnchor)
    {
        var (anchors, candidates) = ((rounded.Anchors, problem.Rows), (rounded.Candidates, problem.CandidateRows));
        var ((own, ownRows), (other, otherRows)) = byAnchor ? (anchors, candidates) : (candidates, anchors);
        return (StreamedRows.Map(cuda, own, ownRows, problem.Width, StreamedRows.OwnTile), StreamedRows.Map(cuda, other, otherRows, problem.Width, OtherTile));
    }

    private static int Variant(int width) => width <= Narrow ? 0 : width <= 256 ? 1 : 2;

    private static int SharedBytes(int width) => StreamedRows.SharedBytes(StreamedRows.Pieces(width), width <= Narrow ? NarrowStages : WideStages, OtherTile);

    private static int DivideUp(int value, int by) => (value + by - 1) / by;
}
