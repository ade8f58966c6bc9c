using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// The symmetric case of <see cref="CosineProblem"/>: the candidates are the anchors themselves and positives are mutual.
/// </summary>
/// <remarks>
/// Cosines c_aj = c_ja, and with one shift for all rows their powers are equal too. So only tiles on and above the diagonal are
/// computed: their row sums and column sums together are every anchor's sum. The gradient by unit row a is
/// Σ_j (G_aj + G_ja) ẑ_j, whose matrix is symmetric again: the tiles of one block row serve its own rows and, transposed, all
/// later rows. That halves the products of the plain formula (one for cosines, two for gradients, all square).
/// </remarks>
internal static unsafe class PairSoftmax
{
    internal const int Tile = 128;

    // Powers up to this size are kept for the gradient; beyond, they are computed again, block by block.
    private const long KeptElements = 8L << 20;

    /// <summary>Whether one shift serves all rows in f32; <see cref="RowSoftmax"/> takes the rest (temperatures below about 0.024).</summary>
    public static bool CanRun(in CosineProblem problem) => problem.Scale * (2 + problem.Margin.LargestShift) <= ScaledPower.Range;

    /// <summary>Fills the results and, where not null, the gradient by the unit rows.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="problem">Keys are the queries, no memory, positives mutual, self excluded.</param>
    /// <param name="gradient">[anchors, width], or null.</param>
    /// <param name="kept">The largest number of powers to keep; a test sets it to 0.</param>
    public static void Run(CpuDevice cpu, in CosineProblem problem, float* gradient, long kept = KeptElements)
    {
        int rows = problem.Rows;
        int blocks = (rows + Tile - 1) / Tile;
        long total = 0;
        for (int start = 0; start < rows; start += Tile)
        {
            total += (long)Math.Min(Tile, rows - start) * CosineProblem.Padded(rows - start);
        }

        bool keeps = gradient is not null && total <= kept;
        float* powers = cpu.Workspace.Rent(keeps ? new Shape((int)total) : new Shape(Math.Min(Tile, rows), CosineProblem.Padded(rows))).Data;
        var body = new TileBody
        {
            Problem = problem,
            Shift = Math.Ceiling(problem.Scale),
            Negatives = CosineProblem.RentDoubles(cpu, rows),
            RowSums = CosineProblem.RentDoubles(cpu, blocks * Tile),
            RowHighest = cpu.Workspace.Rent(new Shape(blocks * Tile)).Data,
            RowCosines = CosineProblem.RentDoubles(cpu, blocks * Tile),
            RowCounts = CosineProblem.RentDoubles(cpu, blocks * Tile),
        };
        Clear(body, rows);

        float* block = powers;
        for (int start = 0; start < rows; start += Tile)
        {
            Cosines(cpu, problem, start, block);
            SumBlock(cpu, ref body, start, block);
            block += keeps ? (long)body.BlockRows * body.Stride : 0;
        }

        var gradientBody = new GradientBody
        {
            Problem = problem,
            Factors = cpu.Workspace.Rent(new Shape(CosineProblem.Padded(rows))).Data,
            PositiveGradients = cpu.Workspace.Rent(new Shape(rows)).Data,
        };
        SolveAll(body, gradientBody);
        if (gradient is null)
        {
            return;
        }

        block = powers;
        for (int start = 0; start < rows; start += Tile)
        {
            if (!keeps)
            {
                Cosines(cpu, problem, start, block);
                body.OnlyPowers = true;
                SumBlock(cpu, ref body, start, block);
            }

            AddGradients(cpu, ref gradientBody, start, block, gradient);
            block += keeps ? (long)gradientBody.BlockRows * gradientBody.Stride : 0;
        }
    }

    private static void Clear(in TileBody body, int rows)
    {
        for (int i = 0; i < rows; i++)
        {
            body.Negatives[i] = 0;
            body.Problem.CosineSums[i] = 0;
            body.Problem.CosineCounts[i] = 0;
            body.Problem.HighestNegatives[i] = ScaledPower.Masked;
        }
    }

    private static void Cosines(CpuDevice cpu, in CosineProblem problem, int start, float* block)
    {
        int width = problem.Width;
        int columns = problem.Rows - start;
        float* first = problem.Queries + ((nint)start * width);
        var queries = MatrixView.Of(first, Math.Min(Tile, columns), width, width);
        var keys = MatrixView.Of(first, columns, width, width);
        Gemm.Multiply(cpu, queries, keys.Transposed, block, CosineProblem.Padded(columns), accumulate: false);
    }

    private static void SumBlock(CpuDevice cpu, ref TileBody body, int start, float* block)
    {
        int columns = body.Problem.Rows - start;
        int tiles = (columns + Tile - 1) / Tile;
        body.Start = start;
        body.BlockRows = Math.Min(Tile, columns);
        body.Stride = CosineProblem.Padded(columns);
        body.Block = block;
        cpu.Workers.For(tiles, ref body);
        if (body.OnlyPowers)
        {
            return;
        }

        for (int tile = 0; tile < tiles; tile++)
        {
            for (int row = 0; row < body.BlockRows; row++)
            {
                int partial = (tile * Tile) + row;
                int anchor = start + row;
                body.Negatives[anchor] += body.RowSums[partial];
                body.Problem.HighestNegatives[anchor] = Math.Max(body.Problem.HighestNegatives[anchor], body.RowHighest[partial]);
                body.Problem.CosineSums[anchor] += body.RowCosines[partial];
                body.Problem.CosineCounts[anchor] += body.RowCounts[partial];
            }
        }
    }

    private static void SolveAll(in TileBody body, in GradientBody gradient)
    {
        int rows = body.Problem.Rows;
        for (int i = 0; i < rows; i++)
        {
            body.Problem.Solve(i, body.Negatives[i], body.Shift, out double positiveGradient, out gradient.Factors[i]);
            gradient.PositiveGradients[i] = (float)positiveGradient;
        }

        for (int i = rows; i < CosineProblem.Padded(rows); i++)
        {
            gradient.Factors[i] = 0;
        }
    }

    private static void AddGradients(CpuDevice cpu, ref GradientBody body, int start, float* block, float* gradient)
    {
        int width = body.Problem.Width;
        int columns = body.Problem.Rows - start;
        int rows = Math.Min(Tile, columns);
        body.Start = start;
        body.BlockRows = rows;
        body.Stride = CosineProblem.Padded(columns);
        body.Block = block;
        cpu.Workers.For(rows, ref body);

        float* own = body.Problem.Queries + ((nint)start * width);
        float* target = gradient + ((nint)start * width);
        var weights = MatrixView.Of(block, rows, columns, body.Stride);
        Gemm.Multiply(cpu, weights, MatrixView.Of(own, columns, width, width), target, width, accumulate: start > 0);
        if (columns > rows)
        {
            var later = MatrixView.Of(block + rows, rows, columns - rows, body.Stride);
            Gemm.Multiply(cpu, later.Transposed, MatrixView.Of(own, rows, width, width), target + ((nint)rows * width), width, accumulate: start > 0);
        }
    }

    /// <summary>One tile of cosines: to powers in place, with sums along rows and, off the diagonal, along columns.</summary>
    private struct TileBody : IParallelBody
    {
        public CosineProblem Problem;
        public double Shift;
        public double* Negatives, RowSums, RowCosines, RowCounts;
        public float* RowHighest, Block;
        public int Start, BlockRows, Stride;
        public bool OnlyPowers;

        public readonly void Run(int index, int worker)
        {
            int firstColumn = Start + (index * Tile);
            int columns = Math.Min(Tile, Problem.Rows - firstColumn);
            int padded = CosineProblem.Padded(columns);
            float* sums = stackalloc float[Tile];
            float* highest = stackalloc float[Tile];
            new Span<float>(sums, Tile).Clear();
            new Span<float>(highest, Tile).Fill(ScaledPower.Masked);

            for (int row = 0; row < BlockRows; row++)
            {
                float* cosines = Block + ((nint)row * Stride) + (index * Tile);
                Mask(Start + row, firstColumn, columns, padded, cosines);
                RunRow(cosines, padded, sums, highest, (index * Tile) + row);
            }

            // The diagonal tile holds both halves, and the passes for powers only repeat what is known.
            if (index == 0 || OnlyPowers)
            {
                return;
            }

            for (int column = 0; column < columns; column++)
            {
                int anchor = firstColumn + column;
                Negatives[anchor] += sums[column];
                Problem.HighestNegatives[anchor] = Math.Max(Problem.HighestNegatives[anchor], highest[column]);
            }

            // A mirrored cosine enters the mean twice.
            for (int row = 0; row < BlockRows; row++)
            {
                RowCosines[(index * Tile) + row] *= 2;
                RowCounts[(index * Tile) + row] *= 2;
            }
        }

        private readonly void Mask(int anchor, int firstColumn, int columns, int padded, float* cosines)
        {
            int positive = Problem.Positives[anchor];
            if (positive >= firstColumn && positive < firstColumn + columns)
            {
                float cosine = cosines[positive - firstColumn];
                Problem.PositiveCosines[anchor] = cosine;
                Problem.PositiveCosines[positive] = cosine;
                cosines[positive - firstColumn] = ScaledPower.Masked;
            }

            if (anchor >= firstColumn && anchor < firstColumn + columns)
            {
                cosines[anchor - firstColumn] = ScaledPower.Masked;
            }

            new Span<float>(cosines + columns, padded - columns).Fill(ScaledPower.Masked);
            Problem.MaskLabels(anchor, cosines, firstColumn, padded);
        }

        private readonly void RunRow(float* cosines, int count, float* columnSums, float* columnHighest, int partial)
        {
            var scale = Vector512.Create(Problem.Scale);
            var bias = ScaledPower.BiasOf(Shift);
            var lowest = Vector512.Create(ScaledPower.LowestCosine);
            var best = Vector512.Create(ScaledPower.Masked);
            var (sums, cosineSums, counts) = (Vector512<float>.Zero, Vector512<float>.Zero, Vector512<float>.Zero);
            for (int i = 0; i < count; i += Vector512<float>.Count)
            {
                var value = Vector512.Load(cosines + i);
                var power = ScaledPower.Of(value, scale, bias);
                power.Store(cosines + i);
                var valid = Vector512.GreaterThan(value, lowest);
                cosineSums += valid & value;
                counts += valid & Vector512<float>.One;
                best = Vector512.MaxNative(best, value);
                Vector512.MaxNative(Vector512.Load(columnHighest + i), value).Store(columnHighest + i);
                sums += power;
                (Vector512.Load(columnSums + i) + power).Store(columnSums + i);
            }

            float highest = ScaledPower.Masked;
            for (int lane = 0; lane < Vector512<float>.Count; lane++)
            {
                highest = Math.Max(highest, best[lane]);
            }

            RowSums[partial] = Vector512.Sum(Vector512.WidenLower(sums) + Vector512.WidenUpper(sums));
            RowHighest[partial] = highest;
            RowCosines[partial] = Vector512.Sum(cosineSums);
            RowCounts[partial] = Vector512.Sum(counts);
        }
    }

    /// <summary>One row of powers: to G_aj + G_ja in place.</summary>
    private struct GradientBody : IParallelBody
    {
        public CosineProblem Problem;
        public float* Factors, PositiveGradients, Block;
        public int Start, BlockRows, Stride;

        public readonly void Run(int index, int worker)
        {
            int anchor = Start + index;
            float* row = Block + ((nint)index * Stride);
            var own = Vector512.Create(Factors[anchor]);
            for (int i = 0; i < Stride; i += Vector512<float>.Count)
            {
                (Vector512.Load(row + i) * (own + Vector512.Load(Factors + Start + i))).Store(row + i);
            }

            int positive = Problem.Positives[anchor];
            if (positive >= Start)
            {
                row[positive - Start] = PositiveGradients[anchor] + PositiveGradients[positive];
            }
        }
    }
}
