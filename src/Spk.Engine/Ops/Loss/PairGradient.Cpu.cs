using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// The second walk of <see cref="PairSoftmax"/> over the blocks: from powers, or from cosines where those were not kept, to G_aj + G_ja. A block times the unit rows
/// of its columns is what its rows get, and transposed, times those of its rows, what its columns get.
/// </summary>
internal static unsafe class PairGradient
{
    /// <summary>Writes the gradient by the unit rows.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="problem">The solved problem.</param>
    /// <param name="blocks">The blocks, as <see cref="PairPowers"/> left them.</param>
    /// <param name="shift">What exponents are lowered by.</param>
    /// <param name="factors">What turns an anchor's powers into derivatives, [anchors], padded to 16 with 0.</param>
    /// <param name="positiveGradients">Derivative of each anchor's loss by its positive cosine, [anchors].</param>
    /// <param name="gradient">[anchors, width].</param>
    public static void Run(
        CpuDevice cpu, in CosineProblem problem, PairBlocks blocks, double shift, float* factors, float* positiveGradients, float* gradient)
    {
        int width = problem.Width;
        var body = new TileBody { Problem = problem, Shift = shift, Factors = factors, PositiveGradients = positiveGradients };
        foreach (var block in blocks)
        {
            if (!block.IsKept)
            {
                block.Multiply(cpu, problem);
            }

            body.Block = block;
            cpu.Workers.For(block.Tiles, ref body);

            // The first column of blocks reaches all rows of the gradient.
            bool accumulate = block.Column > 0;
            var matrix = MatrixView.Of(block.Values, block.Rows, block.Columns, PairBlock.Stride);
            var columns = MatrixView.Of(problem.Queries + ((nint)block.Column * width), block.Columns, width, width);
            Gemm.Multiply(cpu, matrix, columns, gradient + ((nint)block.Row * width), width, accumulate);
            if (!block.IsDiagonal)
            {
                var rows = MatrixView.Of(problem.Queries + ((nint)block.Row * width), block.Rows, width, width);
                Gemm.Multiply(cpu, matrix.Transposed, rows, gradient + ((nint)block.Column * width), width, accumulate: true);
            }
        }
    }

    /// <summary>One tile of rows: to G_aj + G_ja in place, on the diagonal mirrored above it.</summary>
    private struct TileBody : IParallelBody
    {
        public CosineProblem Problem;
        public PairBlock Block;
        public double Shift;
        public float* Factors, PositiveGradients;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            // On the diagonal long tiles first, so that the workers end together.
            int tile = Block.Tiles - 1 - index, firstRow = tile * PairBlock.Tile;
            int rows = Math.Min(PairBlock.Tile, Block.Rows - firstRow), columns = Block.ColumnsOf(tile);
            for (int row = firstRow; row < firstRow + rows; row++)
            {
                Weigh(Block.Row + row, Block.Values + ((nint)row * PairBlock.Stride), columns);
            }

            for (int column = 0; Block.IsDiagonal && column < firstRow; column += PairBlock.Tile)
            {
                Mirror(firstRow, rows, column);
            }
        }

        [MethodImpl(HotLoop.Options)]
        private readonly void Weigh(int anchor, float* row, int columns)
        {
            float* factors = Factors + Block.Column;
            var own = Vector512.Create(Factors[anchor]);
            if (Block.IsKept)
            {
                for (int i = 0; i < columns; i += Vector512<float>.Count)
                {
                    (Vector512.Load(row + i) * (own + Vector512.Load(factors + i))).Store(row + i);
                }
            }
            else
            {
                Mask(anchor, row, columns);
                var scale = Vector512.Create(Problem.Scale);
                var bias = ScaledPower.BiasOf(Shift);
                for (int i = 0; i < columns; i += Vector512<float>.Count)
                {
                    (ScaledPower.Of(Vector512.Load(row + i), scale, bias) * (own + Vector512.Load(factors + i))).Store(row + i);
                }
            }

            int positive = Problem.Positives[anchor] - Block.Column;
            if (positive >= 0 && positive < columns)
            {
                row[positive] = PositiveGradients[anchor] + PositiveGradients[positive + Block.Column];
            }
        }

        private readonly void Mask(int anchor, float* cosines, int columns)
        {
            int self = anchor - Block.Column;
            if (self < columns)
            {
                cosines[self] = Problem.Masked;
            }

            Problem.MaskLabels(anchor, cosines, Block.Column, CosineProblem.Padded(columns));
        }

        // A whole tile wide: only the last tile of a row of tiles, the diagonal one, can be narrower.
        private readonly void Mirror(int firstRow, int rows, int firstColumn)
        {
            float* from = Block.Values + ((nint)firstRow * PairBlock.Stride) + firstColumn;
            float* to = Block.Values + ((nint)firstColumn * PairBlock.Stride) + firstRow;
            int row = 0;
            for (; row <= rows - 4; row += 4)
            {
                float* source = from + ((nint)row * PairBlock.Stride);
                for (int column = 0; column < PairBlock.Tile; column += 4)
                {
                    Transpose4(source + column, to + ((nint)column * PairBlock.Stride) + row);
                }
            }

            for (; row < rows; row++)
            {
                for (int column = 0; column < PairBlock.Tile; column++)
                {
                    to[((nint)column * PairBlock.Stride) + row] = from[((nint)row * PairBlock.Stride) + column];
                }
            }
        }

        private static void Transpose4(float* from, float* to)
        {
            const int Stride = PairBlock.Stride;
            var (a, b) = (Vector128.Load(from), Vector128.Load(from + Stride));
            var (c, d) = (Vector128.Load(from + (2 * Stride)), Vector128.Load(from + (3 * Stride)));
            var ab = Vector256.Shuffle(Vector256.Create(a, b), Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7));
            var cd = Vector256.Shuffle(Vector256.Create(c, d), Vector256.Create(0, 4, 1, 5, 2, 6, 3, 7));

            // ab is a0 b0 a1 b1 a2 b2 a3 b3: pairs of two columns; as 64-bit elements they interleave with cd's.
            var low = Vector256.Shuffle(Vector256.Create(ab.GetLower(), cd.GetLower()).AsDouble(), Vector256.Create(0L, 2, 1, 3)).AsSingle();
            var high = Vector256.Shuffle(Vector256.Create(ab.GetUpper(), cd.GetUpper()).AsDouble(), Vector256.Create(0L, 2, 1, 3)).AsSingle();
            low.GetLower().Store(to);
            low.GetUpper().Store(to + Stride);
            high.GetLower().Store(to + (2 * Stride));
            high.GetUpper().Store(to + (3 * Stride));
        }
    }
}
