using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// The symmetric case of <see cref="CosineProblem"/>: the candidates are the anchors themselves and positives are mutual.
/// </summary>
/// <remarks>
/// Cosines c_aj = c_ja, and with one shift for all rows their powers are equal too. So only tiles on and below the diagonal are
/// computed, column of tiles by column of tiles: their row sums and column sums together are every anchor's sum. The gradient by
/// unit row a is Σ_j (G_aj + G_ja) ẑ_j; that matrix is symmetric again, so it is filled from the same tiles and takes one product.
/// The plain formula has one product for the cosines and two for the gradients; here it is half of one and one. Where the matrix
/// would be too large it is made again in strips of rows up to the diagonal, each of which is multiplied from either side: two
/// products in all (<see cref="PairStrips"/>).
/// </remarks>
internal static unsafe class PairSoftmax
{
    internal const int Tile = 128;

    // 32 MiB of powers, 2,896 anchors.
    private const long LargestSquare = 8L << 20;

    /// <summary>
    /// Whether one shift serves all rows in f32, which temperatures below about 0.024 do not allow; <see cref="RowSoftmax"/> takes the rest.
    /// </summary>
    public static bool CanRun(in CosineProblem problem) => problem.Scale * (2 + problem.Margin.LargestShift) <= ScaledPower.Range;

    /// <summary>Fills the results and, where not null, the gradient by the unit rows.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="problem">Keys are the queries, no memory, positives mutual, self excluded.</param>
    /// <param name="gradient">[anchors, width], or null.</param>
    /// <param name="largestSquare">Elements up to which the matrix is kept.</param>
    public static void Run(CpuDevice cpu, in CosineProblem problem, float* gradient, long largestSquare = LargestSquare)
    {
        int rows = problem.Rows, width = problem.Width;
        int blocks = (rows + Tile - 1) / Tile;
        bool keepsPowers = gradient is not null && (long)rows * rows <= largestSquare;

        // 16 more than needed: rows 2^n apart would share a few cache sets, which the transposed writes would feel.
        int stride = keepsPowers ? CosineProblem.Padded(rows) + 16 : Tile;
        float* powers = cpu.Workspace.Rent(new Shape(rows, stride)).Data;
        var body = new TileBody
        {
            Problem = problem,
            Shift = Math.Ceiling(problem.Scale),
            Stride = stride,
            Negatives = CosineProblem.RentDoubles(cpu, rows),
            ColumnSums = cpu.Workspace.Rent(new Shape(blocks * Tile)).Data,
            ColumnHighest = cpu.Workspace.Rent(new Shape(blocks * Tile)).Data,
        };
        Clear(body);

        for (int start = 0; start < rows; start += Tile)
        {
            int columns = Math.Min(Tile, rows - start);
            float* first = problem.Queries + ((nint)start * width);
            body.Start = start;
            body.Columns = columns;
            body.Block = keepsPowers ? powers + ((nint)start * stride) + start : powers;
            var below = MatrixView.Of(first, rows - start, width, width);
            Gemm.Multiply(cpu, below, MatrixView.Of(first, columns, width, width).Transposed, body.Block, stride, accumulate: false);
            int tiles = (rows - start + Tile - 1) / Tile;
            cpu.Workers.For(tiles, ref body);
            AddColumns(body, tiles);
        }

        var gradientBody = new GradientBody
        {
            Problem = problem,
            Powers = powers,
            Stride = stride,
            Blocks = blocks,
            Factors = cpu.Workspace.Rent(new Shape(CosineProblem.Padded(rows))).Data,
            PositiveGradients = cpu.Workspace.Rent(new Shape(rows)).Data,
        };
        SolveAll(body, gradientBody);
        if (keepsPowers)
        {
            cpu.Workers.For(blocks, ref gradientBody);
            Gemm.Multiply(
                cpu, MatrixView.Of(powers, rows, rows, stride), MatrixView.Of(problem.Queries, rows, width, width), gradient, width, accumulate: false);
        }
        else if (gradient is not null)
        {
            PairStrips.Run(cpu, problem, body.Shift, gradientBody.Factors, gradientBody.PositiveGradients, gradient, largestSquare / 2);
        }
    }

    private static void Clear(in TileBody body)
    {
        for (int i = 0; i < body.Problem.Rows; i++)
        {
            body.Negatives[i] = 0;
            body.Problem.CosineSums[i] = 0;
            body.Problem.CosineCounts[i] = 0;
            body.Problem.HighestNegatives[i] = ScaledPower.Masked;
        }
    }

    // The tiles below the diagonal one, in their order.
    private static void AddColumns(in TileBody body, int tiles)
    {
        for (int tile = 1; tile < tiles; tile++)
        {
            for (int column = 0; column < body.Columns; column++)
            {
                int anchor = body.Start + column;
                int partial = (tile * Tile) + column;
                body.Negatives[anchor] += body.ColumnSums[partial];
                body.Problem.HighestNegatives[anchor] = Math.Max(body.Problem.HighestNegatives[anchor], body.ColumnHighest[partial]);
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

    /// <summary>One tile of cosines: to powers in place, with sums along rows and, below the diagonal, along columns.</summary>
    private struct TileBody : IParallelBody
    {
        public CosineProblem Problem;
        public double Shift;
        public double* Negatives;
        public float* ColumnSums, ColumnHighest, Block;
        public int Start, Columns, Stride;

        public readonly void Run(int index, int worker)
        {
            int firstRow = Start + (index * Tile);
            int rows = Math.Min(Tile, Problem.Rows - firstRow);
            int padded = CosineProblem.Padded(Columns);
            float* sums = ColumnSums + ((nint)index * Tile);
            float* highest = ColumnHighest + ((nint)index * Tile);
            new Span<float>(sums, Tile).Clear();
            new Span<float>(highest, Tile).Fill(ScaledPower.Masked);
            for (int row = 0; row < rows; row++)
            {
                float* cosines = Block + ((((nint)index * Tile) + row) * Stride);
                Mask(firstRow + row, padded, cosines);

                // The diagonal tile holds both c_aj and c_ja; a cosine of the others stands for both.
                RunRow(cosines, padded, sums, highest, firstRow + row, index == 0 ? 1 : 2);
            }
        }

        private readonly void Mask(int anchor, int padded, float* cosines)
        {
            float masked = Problem.Masked;
            int positive = Problem.Positives[anchor];
            if (positive >= Start && positive < Start + Columns)
            {
                float cosine = cosines[positive - Start];
                Problem.PositiveCosines[anchor] = cosine;
                Problem.PositiveCosines[positive] = cosine;
                cosines[positive - Start] = masked;
            }

            if (anchor < Start + Columns)
            {
                cosines[anchor - Start] = masked;
            }

            new Span<float>(cosines + Columns, padded - Columns).Fill(masked);
            Problem.MaskLabels(anchor, cosines, Start, padded);
        }

        private readonly void RunRow(float* cosines, int count, float* columnSums, float* columnHighest, int anchor, int multiplicity)
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

            float highest = Problem.HighestNegatives[anchor];
            for (int lane = 0; lane < Vector512<float>.Count; lane++)
            {
                highest = Math.Max(highest, best[lane]);
            }

            Negatives[anchor] += Vector512.Sum(Vector512.WidenLower(sums) + Vector512.WidenUpper(sums));
            Problem.HighestNegatives[anchor] = highest;
            Problem.CosineSums[anchor] += multiplicity * (double)Vector512.Sum(cosineSums);
            Problem.CosineCounts[anchor] += multiplicity * (double)Vector512.Sum(counts);
        }
    }

    /// <summary>One row of tiles up to the diagonal: from powers to G_aj + G_ja in place, and mirrored above the diagonal.</summary>
    private struct GradientBody : IParallelBody
    {
        public CosineProblem Problem;
        public float* Factors, PositiveGradients, Powers;
        public int Stride, Blocks;

        public readonly void Run(int index, int worker)
        {
            // Long rows of tiles first, so that the workers end together.
            int firstRow = (Blocks - 1 - index) * Tile;
            int rows = Math.Min(Tile, Problem.Rows - firstRow);
            for (int firstColumn = 0; firstColumn <= firstRow; firstColumn += Tile)
            {
                int columns = Math.Min(Tile, Problem.Rows - firstColumn);
                for (int row = 0; row < rows; row++)
                {
                    Weigh(firstRow + row, firstColumn, columns);
                }

                if (firstColumn < firstRow)
                {
                    Mirror(firstRow, rows, firstColumn);
                }
            }
        }

        private readonly void Weigh(int anchor, int firstColumn, int columns)
        {
            float* row = Powers + ((nint)anchor * Stride) + firstColumn;
            float* factors = Factors + firstColumn;
            var own = Vector512.Create(Factors[anchor]);
            for (int i = 0; i < columns; i += Vector512<float>.Count)
            {
                (Vector512.Load(row + i) * (own + Vector512.Load(factors + i))).Store(row + i);
            }

            int positive = Problem.Positives[anchor];
            if (positive >= firstColumn && positive < firstColumn + columns)
            {
                row[positive - firstColumn] = PositiveGradients[anchor] + PositiveGradients[positive];
            }
        }

        // A whole tile wide: only the last tile of a row of tiles, the diagonal one, can be narrower.
        private readonly void Mirror(int firstRow, int rows, int firstColumn)
        {
            float* from = Powers + ((nint)firstRow * Stride) + firstColumn;
            float* to = Powers + ((nint)firstColumn * Stride) + firstRow;
            int row = 0;
            for (; row <= rows - 4; row += 4)
            {
                float* source = from + ((nint)row * Stride);
                for (int column = 0; column < Tile; column += 4)
                {
                    Transpose4(source + column, to + ((nint)column * Stride) + row);
                }
            }

            for (; row < rows; row++)
            {
                for (int column = 0; column < Tile; column++)
                {
                    to[((nint)column * Stride) + row] = from[((nint)row * Stride) + column];
                }
            }
        }

        private readonly void Transpose4(float* from, float* to)
        {
            var (a, b) = (Vector128.Load(from), Vector128.Load(from + Stride));
            var (c, d) = (Vector128.Load(from + (2 * (nint)Stride)), Vector128.Load(from + (3 * (nint)Stride)));
            var ab = Vector256.Shuffle(Vector256.Create(a, b), Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7));
            var cd = Vector256.Shuffle(Vector256.Create(c, d), Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7));

            // ab is a0 b0 a1 b1 a2 b2 a3 b3: pairs of two columns; as 64-bit elements they interleave with cd's.
            var low = Vector256.Shuffle(Vector256.Create(ab.GetLower(), cd.GetLower()).AsDouble(), Vector256.Create(0L, 2, 1, 3)).AsSingle();
            var high = Vector256.Shuffle(Vector256.Create(ab.GetUpper(), cd.GetUpper()).AsDouble(), Vector256.Create(0L, 2, 1, 3)).AsSingle();
            low.GetLower().Store(to);
            low.GetUpper().Store(to + Stride);
            high.GetLower().Store(to + (2 * (nint)Stride));
            high.GetUpper().Store(to + (3 * (nint)Stride));
        }
    }
}
