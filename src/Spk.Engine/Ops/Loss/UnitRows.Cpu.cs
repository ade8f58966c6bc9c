using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>x / max(‖x‖, 1e-12) of every row, and its derivative, inside the losses over cosines.</summary>
internal static unsafe class UnitRows
{
    private const float Floor = 1e-12f;
    private const int RowsPerItem = 16;

    /// <summary>Normalises the rows of x to unit (contiguous rows) and keeps the norms.</summary>
    public static void Forward(CpuDevice cpu, Tensor x, float* unit, float* norms)
    {
        var body = new ForwardBody { X = x.Data, Stride = x.RowStride, Rows = x.Shape.Rows, Width = x.Shape.Last, Unit = unit, Norms = norms };
        cpu.Workers.For((body.Rows + RowsPerItem - 1) / RowsPerItem, ref body);
    }

    /// <summary>Writes or adds factor · (dû − û (û·dû)) / ‖x‖; below the floor factor · dû / 1e-12.</summary>
    public static void Backward(CpuDevice cpu, Tensor gradient, bool accumulate, float* unit, float* unitGradient, float* norms, float factor)
    {
        var body = new BackwardBody
        {
            Gradient = gradient.Data,
            Stride = gradient.RowStride,
            Rows = gradient.Shape.Rows,
            Width = gradient.Shape.Last,
            Unit = unit,
            UnitGradient = unitGradient,
            Norms = norms,
            Factor = factor,
            Accumulate = accumulate,
        };
        cpu.Workers.For((body.Rows + RowsPerItem - 1) / RowsPerItem, ref body);
    }

    /// <summary>Σ a·b: products in f32 lanes, their sum in f64.</summary>
    public static double Dot(float* a, float* b, int count)
    {
        var sum = Vector512<float>.Zero;
        int i = 0;
        for (; i <= count - Vector512<float>.Count; i += Vector512<float>.Count)
        {
            sum = Vector512.FusedMultiplyAdd(Vector512.Load(a + i), Vector512.Load(b + i), sum);
        }

        double total = Vector512.Sum(Vector512.WidenLower(sum) + Vector512.WidenUpper(sum));
        for (; i < count; i++)
        {
            total += (double)a[i] * b[i];
        }

        return total;
    }

    private struct ForwardBody : IParallelBody
    {
        public float* X, Unit, Norms;
        public int Stride, Rows, Width;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * RowsPerItem);
            for (int row = index * RowsPerItem; row < end; row++)
            {
                float* x = X + ((nint)row * Stride);
                float* unit = Unit + ((nint)row * Width);
                float norm = MathF.Sqrt((float)Dot(x, x, Width));
                Norms[row] = norm;
                float divisor = norm < Floor ? Floor : norm; // MathF.Max is not it: a NaN must stay
                var divisors = Vector512.Create(divisor);
                int i = 0;
                for (; i <= Width - Vector512<float>.Count; i += Vector512<float>.Count)
                {
                    (Vector512.Load(x + i) / divisors).Store(unit + i);
                }

                for (; i < Width; i++)
                {
                    unit[i] = x[i] / divisor;
                }
            }
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public float* Gradient, Unit, UnitGradient, Norms;
        public int Stride, Rows, Width;
        public float Factor;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * RowsPerItem);
            for (int row = index * RowsPerItem; row < end; row++)
            {
                float* target = Gradient + ((nint)row * Stride);
                float* unit = Unit + ((nint)row * Width);
                float* source = UnitGradient + ((nint)row * Width);
                bool floored = Norms[row] < Floor;
                float factor = Factor / (floored ? Floor : Norms[row]);
                float along = floored ? 0 : -(float)Dot(unit, source, Width);
                var factors = Vector512.Create(factor);
                var alongs = Vector512.Create(along);
                int i = 0;
                for (; i <= Width - Vector512<float>.Count; i += Vector512<float>.Count)
                {
                    var value = Vector512.FusedMultiplyAdd(alongs, Vector512.Load(unit + i), Vector512.Load(source + i)) * factors;
                    (Accumulate ? value + Vector512.Load(target + i) : value).Store(target + i);
                }

                for (; i < Width; i++)
                {
                    float value = MathF.FusedMultiplyAdd(along, unit[i], source[i]) * factor;
                    target[i] = Accumulate ? target[i] + value : value;
                }
            }
        }
    }
}
