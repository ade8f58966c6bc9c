using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Activation
{
    private const int ElementsPerTask = 16384;

    private static int RowsEach(Shape shape) => Math.Max(1, ElementsPerTask / Math.Max(1, shape.Last));

    private static void CpuForward(CpuDevice device, ActivationKind kind, float slope, Tensor x, Tensor y)
    {
        int rows = x.Shape.Rows, each = RowsEach(x.Shape);
        var body = new ForwardBody
        {
            X = x.Data,
            Y = y.Data,
            StrideX = x.RowStride,
            StrideY = y.RowStride,
            Rows = rows,
            Each = each,
            Width = x.Shape.Last,
            Kind = kind,
            Slope = slope,
        };
        device.Workers.For((rows + each - 1) / each, ref body);
    }

    private static void CpuBackward(CpuDevice device, ActivationKind kind, float slope, Tensor x, Tensor y, Tensor dy, Tensor dx, bool accumulate)
    {
        int rows = x.Shape.Rows, each = RowsEach(x.Shape);
        var body = new BackwardBody
        {
            X = x.Data,
            Y = y.Data,
            Dy = dy.Data,
            Dx = dx.Data,
            StrideX = x.RowStride,
            StrideY = y.RowStride,
            StrideDy = dy.RowStride,
            StrideDx = dx.RowStride,
            Rows = rows,
            Each = each,
            Width = x.Shape.Last,
            Kind = kind,
            Slope = slope,
            Accumulate = accumulate,
        };
        device.Workers.For((rows + each - 1) / each, ref body);
    }

    /// <summary>
    /// Normal distribution function from the error function's rational form 7.1.26 of Abramowitz and Stegun, within 3e-7, sixteen at once.
    /// </summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> NormalDistribution(Vector512<float> x, out Vector512<float> density)
    {
        var one = Vector512<float>.One;
        var gaussian = Vector512.Exp(x * x * -0.5f);
        density = gaussian * 0.39894228f;
        var t = one / Vector512.FusedMultiplyAdd(Vector512.Abs(x), Vector512.Create(0.23164189f), one);
        var polynomial = Vector512.FusedMultiplyAdd(Vector512.Create(1.061405429f), t, Vector512.Create(-1.453152027f));
        polynomial = Vector512.FusedMultiplyAdd(polynomial, t, Vector512.Create(1.421413741f));
        polynomial = Vector512.FusedMultiplyAdd(polynomial, t, Vector512.Create(-0.284496736f));
        polynomial = Vector512.FusedMultiplyAdd(polynomial, t, Vector512.Create(0.254829592f));
        var tail = polynomial * t * gaussian * 0.5f;
        return Vector512.ConditionalSelect(Vector512.LessThan(x, Vector512<float>.Zero), tail, one - tail);
    }

    private struct ForwardBody : IParallelBody
    {
        public float* X, Y;
        public nint StrideX, StrideY;
        public int Rows, Each, Width;
        public ActivationKind Kind;
        public float Slope;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int start = index * Each, end = Math.Min(start + Each, Rows);
            for (int row = start; row < end; row++)
            {
                var x = new ReadOnlySpan<float>(X + (row * StrideX), Width);
                var y = new Span<float>(Y + (row * StrideY), Width);
                switch (Kind)
                {
                    case ActivationKind.Relu:
                        Rectify(x, y, 0f);
                        break;
                    case ActivationKind.LeakyRelu:
                        Rectify(x, y, Slope);
                        break;
                    case ActivationKind.Tanh:
                        TensorPrimitives.Tanh(x, y);
                        break;
                    case ActivationKind.Sigmoid:
                        TensorPrimitives.Sigmoid(x, y);
                        break;
                    default:
                        Weigh(x, y);
                        break;
                }
            }
        }

        [MethodImpl(HotLoop.Options)]
        private static void Weigh(ReadOnlySpan<float> x, Span<float> y)
        {
            int i = 0;
            for (; i + 16 <= x.Length; i += 16)
            {
                var value = Vector512.Create(x[i..]);
                (value * NormalDistribution(value, out _)).CopyTo(y[i..]);
            }

            for (; i < x.Length; i++)
            {
                y[i] = x[i] * NormalDistribution(Vector512.CreateScalar(x[i]), out _)[0];
            }
        }

        private static void Rectify(ReadOnlySpan<float> x, Span<float> y, float slope)
        {
            int i = 0;
            for (; i + 16 <= x.Length; i += 16)
            {
                var value = Vector512.Create(x[i..]);
                Vector512.ConditionalSelect(Vector512.GreaterThan(value, Vector512<float>.Zero), value, value * slope).CopyTo(y[i..]);
            }

            for (; i < x.Length; i++)
            {
                y[i] = x[i] > 0f ? x[i] : x[i] * slope;
            }
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public float* X, Y, Dy, Dx;
        public nint StrideX, StrideY, StrideDy, StrideDx;
        public int Rows, Each, Width;
        public ActivationKind Kind;
        public float Slope;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int start = index * Each, end = Math.Min(start + Each, Rows);
            for (int row = start; row < end; row++)
            {
                float* x = X + (row * StrideX);
                float* y = Y + (row * StrideY);
                float* dy = Dy + (row * StrideDy);
                float* dx = Dx + (row * StrideDx);
                int i = 0;
                for (; i + 16 <= Width; i += 16)
                {
                    var gradient = Vector512.Load(dy + i) * Slopes(Vector512.Load(x + i), Vector512.Load(y + i));
                    if (Accumulate)
                    {
                        gradient += Vector512.Load(dx + i);
                    }

                    gradient.Store(dx + i);
                }

                for (; i < Width; i++)
                {
                    float gradient = dy[i] * SlopeAt(x[i], y[i]);
                    dx[i] = Accumulate ? dx[i] + gradient : gradient;
                }
            }
        }

        private readonly Vector512<float> Slopes(Vector512<float> x, Vector512<float> y)
        {
            var one = Vector512<float>.One;
            return Kind switch
            {
                ActivationKind.Tanh => one - (y * y),
                ActivationKind.Sigmoid => y * (one - y),
                ActivationKind.Gelu => NormalDistribution(x, out var density) + (x * density),
                _ => Vector512.ConditionalSelect(
                    Vector512.GreaterThan(x, Vector512<float>.Zero), one, Vector512.Create(Kind == ActivationKind.Relu ? 0f : Slope)),
            };
        }

        private readonly float SlopeAt(float x, float y)
        {
            switch (Kind)
            {
                case ActivationKind.Tanh:
                    return 1f - (y * y);
                case ActivationKind.Sigmoid:
                    return y * (1f - y);
                case ActivationKind.Gelu:
                    var below = NormalDistribution(Vector512.CreateScalar(x), out var density);
                    return below[0] + (x * density[0]);
                default:
                    return x > 0f ? 1f : Kind == ActivationKind.Relu ? 0f : Slope;
            }
        }
    }
}
