using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// The general case of <see cref="CosineProblem"/>: any candidates, any temperature. Works through blocks of anchors; the
/// cosines of a block with all candidates become its derivatives in place, so one pass yields loss and gradients.
/// </summary>
internal static unsafe class RowSoftmax
{
    // The block's cosines stay within 16 MiB; of many rows, because every product packs all candidates anew.
    private const int BlockElements = 1 << 22;
    private const int LargestBlock = 256;
    private const int SmallestBlock = 16;
    private const int RowsPerItem = 4;

    // f32 sums are handed to f64 this often, so that their rounding does not grow with the number of candidates.
    private const int SumSpan = 1024;

    /// <summary>Anchors of a block.</summary>
    public static int BlockOf(int candidates) => Math.Clamp(BlockElements / candidates, SmallestBlock, LargestBlock);

    /// <summary>
    /// Fills the results and, where the pointers are not null, the gradients by the unit rows. Queries and keys may share
    /// one gradient buffer; then both parts are added up in it.
    /// </summary>
    public static void Run(CpuDevice cpu, in CosineProblem problem, float* queryGradient, float* keyGradient)
    {
        int width = problem.Width;
        int stride = CosineProblem.Padded(problem.Candidates);
        int block = BlockOf(stride);
        float* tile = cpu.Workspace.Rent(new Shape(Math.Min(block, problem.Rows), stride)).Data;
        var keys = MatrixView.Of(problem.Keys, problem.KeyRows, width, width);
        var memory = MatrixView.Of(problem.Memory, problem.MemoryRows, width, width);

        for (int start = 0; start < problem.Rows; start += block)
        {
            int rows = Math.Min(block, problem.Rows - start);
            var queries = MatrixView.Of(problem.Queries + ((nint)start * width), rows, width, width);
            Gemm.Multiply(cpu, queries, keys.Transposed, tile, stride, accumulate: false);
            if (problem.MemoryRows > 0)
            {
                Gemm.Multiply(cpu, queries, memory.Transposed, tile + problem.KeyRows, stride, accumulate: false);
            }

            var body = new RowBody
            {
                Problem = problem,
                Tile = tile,
                Stride = stride,
                Start = start,
                Rows = rows,
                WantsGradient = queryGradient is not null || keyGradient is not null,
            };
            cpu.Workers.For((rows + RowsPerItem - 1) / RowsPerItem, ref body);

            var derivatives = MatrixView.Of(tile, rows, problem.KeyRows, stride);
            if (keyGradient is not null)
            {
                Gemm.Multiply(cpu, derivatives.Transposed, queries, keyGradient, width, accumulate: start > 0);
            }

            if (queryGradient is not null)
            {
                float* target = queryGradient + ((nint)start * width);
                Gemm.Multiply(cpu, derivatives, keys, target, width, accumulate: queryGradient == keyGradient);
                if (problem.MemoryRows > 0)
                {
                    var others = MatrixView.Of(tile + problem.KeyRows, rows, problem.MemoryRows, stride);
                    Gemm.Multiply(cpu, others, memory, target, width, accumulate: true);
                }
            }
        }
    }

    private struct RowBody : IParallelBody
    {
        public CosineProblem Problem;
        public float* Tile;
        public int Stride, Start, Rows;
        public bool WantsGradient;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * RowsPerItem);
            for (int row = index * RowsPerItem; row < end; row++)
            {
                RunRow(Start + row, Tile + ((nint)row * Stride));
            }
        }

        private readonly void RunRow(int anchor, float* cosines)
        {
            int positive = Problem.Positives[anchor];
            if (Problem.SubCentres > 1)
            {
                positive = ClassRows.KeepNearest(cosines, Problem.KeyRows / Problem.SubCentres, Problem.SubCentres, positive, Problem.Masked);
            }

            float cosine = cosines[positive];
            Problem.PositiveCosines[anchor] = cosine;
            Mask(anchor, positive, cosines);

            double highest = Survey(cosines, anchor);
            Span<int> places = stackalloc int[CosineProblem.MostHardest];
            Span<float> slopes = stackalloc float[CosineProblem.MostHardest];
            int hard = Problem.Hardest == 0 ? 0 : ClassRows.Harden(cosines, Problem.KeyRows, Problem.Hard, places[..Problem.Hardest], slopes);
            highest = hard > 0 ? cosines[places[0]] : highest;
            double target = Problem.Margined(anchor, cosine, out _);
            double shift = Math.Ceiling(Math.Max(highest, target) * Problem.Scale);
            double negatives = Exponentiate(cosines, shift);
            Problem.Solve(anchor, negatives, shift, out double positiveGradient, out float factor);

            if (WantsGradient)
            {
                var factors = Vector512.Create(factor);
                for (int i = 0; i < Stride; i += Vector512<float>.Count)
                {
                    (Vector512.Load(cosines + i) * factors).Store(cosines + i);
                }

                for (int i = 0; i < hard; i++)
                {
                    cosines[places[i]] *= slopes[i];
                }

                cosines[positive] = (float)positiveGradient;
            }
        }

        private readonly void Mask(int anchor, int positive, float* cosines)
        {
            float masked = Problem.Masked;
            new Span<float>(cosines + Problem.Candidates, Stride - Problem.Candidates).Fill(masked);
            Problem.MaskLabels(anchor, cosines, 0, Stride);
            if (!Problem.KeysAreNegatives)
            {
                new Span<float>(cosines, Problem.KeyRows).Fill(masked);
            }

            for (int key = Problem.ItemCount > 0 ? anchor % Problem.ItemCount : Problem.KeyRows; key < Problem.KeyRows; key += Problem.ItemCount)
            {
                cosines[key] = masked;
            }

            cosines[positive] = masked;
            if (Problem.ExcludeSelf)
            {
                cosines[anchor] = masked;
            }
        }

        // Largest cosine, and the statistics of the negatives.
        [MethodImpl(HotLoop.Options)]
        private readonly float Survey(float* cosines, int anchor)
        {
            var lowest = Vector512.Create(ScaledPower.LowestCosine);
            var highest = Vector512.Create(ScaledPower.Masked);
            double sum = 0, count = 0;
            for (int from = 0; from < Stride; from += SumSpan)
            {
                int to = Math.Min(Stride, from + SumSpan);
                var (sums, counts) = (Vector512<float>.Zero, Vector512<float>.Zero);
                for (int i = from; i < to; i += Vector512<float>.Count)
                {
                    var value = Vector512.Load(cosines + i);
                    var valid = Vector512.GreaterThan(value, lowest);
                    highest = Vector512.MaxNative(highest, value);
                    sums += valid & value;
                    counts += valid & Vector512<float>.One;
                }

                sum += Vector512.Sum(sums);
                count += Vector512.Sum(counts);
            }

            float best = ScaledPower.Masked;
            for (int lane = 0; lane < Vector512<float>.Count; lane++)
            {
                best = Math.Max(best, highest[lane]);
            }

            Problem.HighestNegatives[anchor] = best;
            Problem.CosineSums[anchor] = sum;
            Problem.CosineCounts[anchor] = count;
            return best;
        }

        [MethodImpl(HotLoop.Options)]
        private readonly double Exponentiate(float* cosines, double shift)
        {
            var scale = Vector512.Create(Problem.Scale);
            var bias = ScaledPower.BiasOf(shift);
            double total = 0;
            for (int from = 0; from < Stride; from += SumSpan)
            {
                int to = Math.Min(Stride, from + SumSpan);
                var sums = Vector512<float>.Zero;
                for (int i = from; i < to; i += Vector512<float>.Count)
                {
                    var power = ScaledPower.Of(Vector512.Load(cosines + i), scale, bias);
                    power.Store(cosines + i);
                    sums += power;
                }

                total += Vector512.Sum(Vector512.WidenLower(sums) + Vector512.WidenUpper(sums));
            }

            return total;
        }
    }
}
