using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>The first walk of <see cref="PairSoftmax"/> over the blocks: from cosines to powers, with every anchor's sums.</summary>
internal static unsafe class PairPowers
{
    /// <summary>Leaves powers in the blocks that are kept, and sums in the results.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="problem">What <see cref="PairSoftmax"/> was given.</param>
    /// <param name="blocks">The blocks.</param>
    /// <param name="shift">What exponents are lowered by.</param>
    /// <param name="negatives">[anchors], out: sums of the negatives' powers.</param>
    public static void Run(CpuDevice cpu, in CosineProblem problem, PairBlocks blocks, double shift, double* negatives)
    {
        const int Partials = PairBlocks.Height / PairBlock.Tile * PairBlock.Side;
        var body = new TileBody
        {
            Problem = problem,
            Shift = shift,
            Negatives = negatives,
            ColumnSums = cpu.Workspace.Rent(new Shape(Partials)).Data,
            ColumnHighest = cpu.Workspace.Rent(new Shape(Partials)).Data,
        };
        for (int i = 0; i < problem.Rows; i++)
        {
            negatives[i] = 0;
            problem.CosineSums[i] = 0;
            problem.CosineCounts[i] = 0;
            problem.HighestNegatives[i] = ScaledPower.Masked;
        }

        foreach (var block in blocks)
        {
            block.Multiply(cpu, problem);
            body.Block = block;
            cpu.Workers.For(block.Tiles, ref body);
            AddColumns(body);
        }
    }

    // Tile by tile, whichever thread took them.
    private static void AddColumns(in TileBody body)
    {
        for (int tile = 0; tile < body.Block.Tiles; tile++)
        {
            int columns = body.Block.MirroredColumnsOf(tile);
            for (int column = 0; column < columns; column++)
            {
                int anchor = body.Block.Column + column, partial = (tile * PairBlock.Side) + column;
                body.Negatives[anchor] += body.ColumnSums[partial];
                body.Problem.HighestNegatives[anchor] = Math.Max(body.Problem.HighestNegatives[anchor], body.ColumnHighest[partial]);
            }
        }
    }

    /// <summary>One tile of rows: cosines to powers in place, with sums along rows and along columns.</summary>
    private struct TileBody : IParallelBody
    {
        public CosineProblem Problem;
        public PairBlock Block;
        public double Shift;
        public double* Negatives;
        public float* ColumnSums, ColumnHighest;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            // On the diagonal long tiles first, so that the workers end together.
            int tile = Block.Tiles - 1 - index, firstRow = tile * PairBlock.Tile;
            int rows = Math.Min(PairBlock.Tile, Block.Rows - firstRow);
            int mirrored = Block.MirroredColumnsOf(tile), columns = Block.ColumnsOf(tile), padded = CosineProblem.Padded(columns);
            float* sums = ColumnSums + ((nint)tile * PairBlock.Side);
            float* highest = ColumnHighest + ((nint)tile * PairBlock.Side);
            new Span<float>(sums, padded).Clear();
            new Span<float>(highest, padded).Fill(ScaledPower.Masked);
            for (int row = firstRow; row < firstRow + rows; row++)
            {
                float* cosines = Block.Values + ((nint)row * PairBlock.Stride);
                int anchor = Block.Row + row;
                Mask(anchor, cosines, columns, padded);

                // The square tile on the diagonal holds both c_aj and c_ja; a cosine of the others stands for both.
                if (Block.IsDiagonal)
                {
                    Add(anchor, cosines, 0, mirrored, sums, highest, 2);
                    Add(anchor, cosines, mirrored, padded, sums, highest, 1);
                }
                else
                {
                    Add(anchor, cosines, 0, padded, sums, highest, 2);
                }
            }
        }

        private readonly void Mask(int anchor, float* cosines, int columns, int padded)
        {
            float masked = Problem.Masked;
            int positive = Problem.Positives[anchor] - Block.Column, self = anchor - Block.Column;
            if (positive >= 0 && positive < columns)
            {
                float cosine = cosines[positive];
                Problem.PositiveCosines[anchor] = cosine;
                Problem.PositiveCosines[positive + Block.Column] = cosine;
                cosines[positive] = masked;
            }

            if (self < columns)
            {
                cosines[self] = masked;
            }

            new Span<float>(cosines + columns, padded - columns).Fill(masked);
            Problem.MaskLabels(anchor, cosines, Block.Column, padded);
        }

        [MethodImpl(HotLoop.Options)]
        private readonly void Add(int anchor, float* cosines, int first, int end, float* columnSums, float* columnHighest, int multiplicity)
        {
            var scale = Vector512.Create(Problem.Scale);
            var bias = ScaledPower.BiasOf(Shift);
            var lowest = Vector512.Create(ScaledPower.LowestCosine);
            var best = Vector512.Create(ScaledPower.Masked);
            var (sums, cosineSums, counts) = (Vector512<float>.Zero, Vector512<float>.Zero, Vector512<float>.Zero);
            for (int i = first; i < end; i += Vector512<float>.Count)
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
}
