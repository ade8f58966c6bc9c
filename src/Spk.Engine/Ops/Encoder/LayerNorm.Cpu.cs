using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class LayerNorm
{
    private const int ElementsPerTask = 8192, LaneCount = 16;

    private static int RowsEach(Shape shape) => Math.Max(1, ElementsPerTask / Math.Max(1, shape.Last));

    private static void CpuForward(CpuDevice device, Tensor x, Tensor gamma, Tensor beta, float eps, Tensor y, Tensor statistics)
    {
        int rows = x.Shape.Rows, each = RowsEach(x.Shape);
        var body = new ForwardBody
        {
            X = x.Data,
            Gamma = gamma.Data,
            Beta = beta.Data,
            Y = y.Data,
            Statistics = statistics.Data,
            StrideX = x.RowStride,
            Rows = rows,
            Each = each,
            Width = x.Shape.Last,
            Eps = eps,
        };
        device.Workers.For((rows + each - 1) / each, ref body);
    }

    private static void CpuBackward(CpuDevice device, Node node, Tensor dy, Tensor? dx, bool accumulate, Tensor? products)
    {
        int rows = dy.Shape.Rows, each = RowsEach(dy.Shape);
        var body = new BackwardBody
        {
            X = node.X.Data,
            Gamma = node.Gamma.Data,
            Statistics = node.Statistics.Data,
            Dy = dy.Data,
            Dx = dx is null ? null : dx.Data,
            Products = products is null ? null : products.Data,
            StrideX = node.X.RowStride,
            StrideDy = dy.RowStride,
            StrideDx = dx?.RowStride ?? 0,
            Rows = rows,
            Each = each,
            Width = dy.Shape.Last,
            Accumulate = accumulate,
        };
        device.Workers.For((rows + each - 1) / each, ref body);
        if (products is not null)
        {
            ColumnSum.Run(device, products, node.Gamma.GradForWrite(out bool adds).Data, adds);
        }

        if (node.Beta.RequiresGrad)
        {
            ColumnSum.Run(device, dy, node.Beta.GradForWrite(out bool adds).Data, adds);
        }
    }

    private struct ForwardBody : IParallelBody
    {
        public float* X, Gamma, Beta, Y, Statistics;
        public nint StrideX;
        public int Rows, Each, Width;
        public float Eps;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * Each);
            for (int row = index * Each; row < end; row++)
            {
                float* x = X + (row * StrideX);
                float mean = Sum(x) / Width;

                // Differences from the mean first: a sum of squares would lose a small deviation beside a large mean.
                float scale = 1f / MathF.Sqrt((Squares(x, mean) / Width) + Eps);
                (Statistics[StatisticsOfRow * row], Statistics[(StatisticsOfRow * row) + 1]) = (mean, scale);
                float* y = Y + ((nint)row * Width);
                int i = 0;
                for (; i <= Width - LaneCount; i += LaneCount)
                {
                    var unit = (Vector512.Load(x + i) - Vector512.Create(mean)) * scale;
                    Vector512.FusedMultiplyAdd(unit, Vector512.Load(Gamma + i), Vector512.Load(Beta + i)).Store(y + i);
                }

                for (; i < Width; i++)
                {
                    y[i] = ((x[i] - mean) * scale * Gamma[i]) + Beta[i];
                }
            }
        }

        private readonly float Sum(float* x)
        {
            var lanes = Vector512<float>.Zero;
            int i = 0;
            for (; i <= Width - LaneCount; i += LaneCount)
            {
                lanes += Vector512.Load(x + i);
            }

            float sum = Vector512.Sum(lanes);
            for (; i < Width; i++)
            {
                sum += x[i];
            }

            return sum;
        }

        private readonly float Squares(float* x, float mean)
        {
            var lanes = Vector512<float>.Zero;
            int i = 0;
            for (; i <= Width - LaneCount; i += LaneCount)
            {
                var difference = Vector512.Load(x + i) - Vector512.Create(mean);
                lanes = Vector512.FusedMultiplyAdd(difference, difference, lanes);
            }

            float sum = Vector512.Sum(lanes);
            for (; i < Width; i++)
            {
                sum += (x[i] - mean) * (x[i] - mean);
            }

            return sum;
        }
    }

    private struct BackwardBody : IParallelBody
    {
        public float* X, Gamma, Statistics, Dy, Dx, Products;
        public nint StrideX, StrideDy, StrideDx;
        public int Rows, Each, Width;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * Each);
            for (int row = index * Each; row < end; row++)
            {
                float* x = X + (row * StrideX);
                float* dy = Dy + (row * StrideDy);
                float mean = Statistics[StatisticsOfRow * row], scale = Statistics[(StatisticsOfRow * row) + 1];
                var (sum, along) = Sums(x, dy, mean, scale, Products is null ? null : Products + ((nint)row * Width));
                if (Dx is not null)
                {
                    Write(x, dy, mean, scale, sum / Width, along / Width, Dx + (row * StrideDx));
                }
            }
        }

        // Σ g and Σ g·x̂, and dy·x̂ where it is wanted.
        private readonly (float Sum, float Along) Sums(float* x, float* dy, float mean, float scale, float* products)
        {
            Vector512<float> sums = default, alongs = default;
            int i = 0;
            for (; i <= Width - LaneCount; i += LaneCount)
            {
                var unit = (Vector512.Load(x + i) - Vector512.Create(mean)) * scale;
                var product = Vector512.Load(dy + i) * unit;
                var gamma = Vector512.Load(Gamma + i);
                sums = Vector512.FusedMultiplyAdd(Vector512.Load(dy + i), gamma, sums);
                alongs = Vector512.FusedMultiplyAdd(product, gamma, alongs);
                if (products is not null)
                {
                    product.Store(products + i);
                }
            }

            float sum = Vector512.Sum(sums), along = Vector512.Sum(alongs);
            for (; i < Width; i++)
            {
                float product = dy[i] * ((x[i] - mean) * scale);
                sum += dy[i] * Gamma[i];
                along += product * Gamma[i];
                if (products is not null)
                {
                    products[i] = product;
                }
            }

            return (sum, along);
        }

        private readonly void Write(float* x, float* dy, float mean, float scale, float meanOfG, float meanAlong, float* dx)
        {
            int i = 0;
            for (; i <= Width - LaneCount; i += LaneCount)
            {
                var unit = (Vector512.Load(x + i) - Vector512.Create(mean)) * scale;
                var g = Vector512.Load(dy + i) * Vector512.Load(Gamma + i);
                var gradient = (g - Vector512.Create(meanOfG) - (unit * meanAlong)) * scale;
                (Accumulate ? Vector512.Load(dx + i) + gradient : gradient).Store(dx + i);
            }

            for (; i < Width; i++)
            {
                float gradient = ((dy[i] * Gamma[i]) - meanOfG - ((x[i] - mean) * scale * meanAlong)) * scale;
                dx[i] = Accumulate ? dx[i] + gradient : gradient;
            }
        }
    }
}
