using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>The CPU side of <see cref="ElementLosses"/>: rows in parallel, their sums in order.</summary>
internal static unsafe class ElementSums
{
    private const int RowsPerItem = 16;

    public static void Forward<TLoss>(CpuDevice cpu, Tensor x, Tensor y, Tensor? weights, double* sums, Tensor loss) where TLoss : struct, IElementLoss
    {
        var body = new SumBody<TLoss> { Pair = new(x, y, weights), Sums = sums };
        cpu.Workers.For(body.Pair.Items, ref body);
        double sum = 0;
        for (int row = 0; row < body.Pair.Rows; row++)
        {
            sum += sums[row];
        }

        loss.Data[0] = (float)(sum / x.Count);
    }

    public static void Backward<TLoss>(CpuDevice cpu, Tensor x, Tensor y, Tensor? weights, float factor, Tensor gradient, bool accumulate)
        where TLoss : struct, IElementLoss
    {
        var body = new GradientBody<TLoss>
        {
            Pair = new(x, y, weights),
            Gradient = gradient.Data,
            GradientStride = gradient.RowStride,
            Factor = factor,
            Accumulate = accumulate,
        };
        cpu.Workers.For(body.Pair.Items, ref body);
    }

    private readonly struct Pair(Tensor x, Tensor y, Tensor? weights)
    {
        public readonly int Rows = x.Shape.Rows, Columns = x.Shape.Last;
        private readonly float* _x = x.Data, _y = y.Data, _weights = weights == null ? null : weights.Data;
        private readonly int _strideX = x.RowStride, _strideY = y.RowStride;

        public int Items => (Rows + RowsPerItem - 1) / RowsPerItem;

        public float Weight(int row) => _weights == null ? 1 : _weights[row];

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public Vector512<float> Difference(int row, int column)
        {
            float* a = _x + ((nint)row * _strideX) + column;
            float* b = _y + ((nint)row * _strideY) + column;
            if (column + Vector512<float>.Count <= Columns)
            {
                return Vector512.Load(a) - Vector512.Load(b);
            }

            // What is missing counts as equal.
            float* tail = stackalloc float[Vector512<float>.Count];
            for (int i = 0; i < Vector512<float>.Count; i++)
            {
                tail[i] = column + i < Columns ? a[i] - b[i] : 0;
            }

            return Vector512.Load(tail);
        }
    }

    private struct SumBody<TLoss> : IParallelBody where TLoss : struct, IElementLoss
    {
        public Pair Pair;
        public double* Sums;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Pair.Rows, (index + 1) * RowsPerItem);
            for (int row = index * RowsPerItem; row < end; row++)
            {
                var sums = Vector512<double>.Zero;
                for (int column = 0; column < Pair.Columns; column += Vector512<float>.Count)
                {
                    var value = TLoss.Value(Pair.Difference(row, column));
                    sums += Vector512.WidenLower(value) + Vector512.WidenUpper(value);
                }

                Sums[row] = Vector512.Sum(sums) * Pair.Weight(row);
            }
        }
    }

    private struct GradientBody<TLoss> : IParallelBody where TLoss : struct, IElementLoss
    {
        public Pair Pair;
        public float* Gradient;
        public int GradientStride;
        public float Factor;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Pair.Rows, (index + 1) * RowsPerItem);
            for (int row = index * RowsPerItem; row < end; row++)
            {
                var factor = Vector512.Create(Factor * Pair.Weight(row));
                for (int column = 0; column < Pair.Columns; column += Vector512<float>.Count)
                {
                    Write(Gradient + ((nint)row * GradientStride) + column, Pair.Columns - column, TLoss.Slope(Pair.Difference(row, column)) * factor);
                }
            }
        }

        private readonly void Write(float* to, int count, Vector512<float> value)
        {
            if (count >= Vector512<float>.Count)
            {
                (Accumulate ? Vector512.Load(to) + value : value).Store(to);
                return;
            }

            for (int i = 0; i < count; i++)
            {
                to[i] = Accumulate ? to[i] + value[i] : value[i];
            }
        }
    }
}
