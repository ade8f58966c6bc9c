using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// The symmetric case of <see cref="CosineProblem"/>: the candidates are the anchors themselves and positives are mutual.
/// </summary>
/// <remarks>
/// Cosines c_aj = c_ja, and with one shift for all rows their powers are equal too. So only blocks on and below the diagonal are
/// computed (<see cref="PairBlocks"/>): their row sums and column sums together are every anchor's sum (<see cref="PairPowers"/>). The gradient by
/// unit row a is Σ_j (G_aj + G_ja) ẑ_j; that matrix is symmetric again, so it is made of the same blocks, each of which is multiplied from either side
/// (<see cref="PairGradient"/>). The plain formula has one product for the cosines and two for the gradients; here it is half of one and one, and the
/// cosines of blocks that were not kept once more.
/// </remarks>
internal static unsafe class PairSoftmax
{
    // Elements of powers that are kept: 32 MiB, all of them up to about 3,700 anchors, or four times the anchors themselves where that is more, which of
    // 8,192 anchors of 512 is nearly half. Memory stays O(anchors · width).
    private const long LeastLimit = 8L << 20;
    private const long LimitPerValue = 4;
    private const long MostLimit = 1L << 30;

    /// <summary>
    /// Whether one shift serves all rows in f32, which temperatures below about 0.024 do not allow; <see cref="RowSoftmax"/> takes the rest.
    /// </summary>
    public static bool CanRun(in CosineProblem problem) => problem.Scale * (2 + problem.Margin.LargestShift) <= ScaledPower.Range;

    /// <summary>Fills the results and, where not null, the gradient by the unit rows.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="problem">Keys are the queries, no memory, positives mutual, self excluded.</param>
    /// <param name="gradient">[anchors, width], or null.</param>
    public static void Run(CpuDevice cpu, in CosineProblem problem, float* gradient) => Run(cpu, problem, gradient, LimitOf(problem.Rows, problem.Width));

    /// <summary>Elements up to which powers are kept.</summary>
    public static long LimitOf(int rows, int width) => Math.Clamp(LimitPerValue * rows * width, LeastLimit, MostLimit);

    /// <inheritdoc cref="Run(CpuDevice, in CosineProblem, float*)"/>
    /// <param name="cpu">The device.</param>
    /// <param name="problem">Keys are the queries, no memory, positives mutual, self excluded.</param>
    /// <param name="gradient">[anchors, width], or null.</param>
    /// <param name="limit">Elements up to which powers are kept for the gradient.</param>
    public static void Run(CpuDevice cpu, in CosineProblem problem, float* gradient, long limit)
    {
        // What is rented here goes back: nothing of it is needed once the gradient is there.
        var before = cpu.Workspace.Position;
        var blocks = new PairBlocks(cpu, problem.Rows, gradient is null ? 0 : limit);
        double shift = Math.Ceiling(problem.Scale);
        double* negatives = CosineProblem.RentDoubles(cpu, problem.Rows);
        PairPowers.Run(cpu, problem, blocks, shift, negatives);

        float* factors = cpu.Workspace.Rent(new Shape(CosineProblem.Padded(problem.Rows))).Data;
        float* positiveGradients = cpu.Workspace.Rent(new Shape(problem.Rows)).Data;
        var solve = new SolveBody { Problem = problem, Shift = shift, Negatives = negatives, Factors = factors, PositiveGradients = positiveGradients };
        cpu.Workers.For((problem.Rows + PairBlock.Tile - 1) / PairBlock.Tile, ref solve);
        for (int i = problem.Rows; i < CosineProblem.Padded(problem.Rows); i++)
        {
            factors[i] = 0;
        }

        if (gradient is not null)
        {
            PairGradient.Run(cpu, problem, blocks, shift, factors, positiveGradients, gradient);
        }

        cpu.Workspace.Advance(before);
    }

    /// <summary>Losses and factors of some anchors.</summary>
    private struct SolveBody : IParallelBody
    {
        public CosineProblem Problem;
        public double Shift;
        public double* Negatives;
        public float* Factors, PositiveGradients;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Problem.Rows, (index + 1) * PairBlock.Tile);
            for (int i = index * PairBlock.Tile; i < end; i++)
            {
                Problem.Solve(i, Negatives[i], Shift, out double positiveGradient, out Factors[i]);
                PositiveGradients[i] = (float)positiveGradient;
            }
        }
    }
}
