using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class BatchNorm
{
    // Rows of the statistics tensor: mean and 1/√(variance + eps), both of the activated input.
    private const int StatisticsRows = 2;

    // Rows are cut by shape only: enough pieces for many cores, not so long that f32 partial sums lose digits.
    private const int WantedChunks = 128, ShortestChunk = 16, LongestChunk = 512;

    private const int ChannelsPerTask = 128;

    private static int RowsEach(int rows) => Math.Clamp((rows + WantedChunks - 1) / WantedChunks, ShortestChunk, LongestChunk);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Activate(Vector512<float> x, Vector512<float> slope) =>
        Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<float>.Zero), x, x * slope);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Activate(float x, float slope) => x > 0f ? x : x * slope;

    private static void Measure(
        CpuDevice device, Tensor x, Tensor statistics, float slope, Tensor runningMean, Tensor runningVariance, float momentum, float eps)
    {
        int rows = x.Shape.Rows, channels = x.Shape.Last, each = RowsEach(rows), chunks = (rows + each - 1) / each;
        var partial = device.Workspace.Rent(new Shape(chunks, 3, channels));
        var sums = new SumBody { X = x.Data, Stride = x.RowStride, Rows = rows, Each = each, Channels = channels, Slope = slope, Partial = partial.Data };
        device.Workers.For(chunks, ref sums);
        var combine = new CombineBody
        {
            Partial = partial.Data,
            Statistics = statistics.Data,
            RunningMean = runningMean.Data,
            RunningVariance = runningVariance.Data,
            Rows = rows,
            Each = each,
            Chunks = chunks,
            Channels = channels,
            Momentum = momentum,
            Eps = eps,
        };
        device.Workers.For((channels + ChannelsPerTask - 1) / ChannelsPerTask, ref combine);
    }

    private static void Recall(Tensor statistics, Tensor runningMean, Tensor runningVariance, float eps)
    {
        int channels = runningMean.Count;
        for (int c = 0; c < channels; c++)
        {
            statistics.Data[c] = runningMean.Data[c];
            statistics.Data[channels + c] = (float)(1.0 / Math.Sqrt((double)runningVariance.Data[c] + eps));
        }
    }

    private static void Normalize(CpuDevice device, Tensor x, Tensor y, Tensor statistics, Tensor? gamma, Tensor? beta, float slope)
    {
        int rows = x.Shape.Rows, channels = x.Shape.Last, each = RowsEach(rows);
        var affine = device.Workspace.Rent(new Shape(2, channels));
        float* inverse = statistics.Data + channels;
        for (int c = 0; c < channels; c++)
        {
            affine.Data[c] = gamma is null ? inverse[c] : inverse[c] * gamma.Data[c];
            affine.Data[channels + c] = beta is null ? 0f : beta.Data[c];
        }

        var body = new NormalizeBody
        {
            X = x.Data,
            Y = y.Data,
            StrideX = x.RowStride,
            StrideY = y.RowStride,
            Mean = statistics.Data,
            Affine = affine.Data,
            Rows = rows,
            Each = each,
            Channels = channels,
            Slope = slope,
        };
        device.Workers.For((rows + each - 1) / each, ref body);
    }

    private static void BackwardPass(CpuDevice device, Node node, Tensor dy, Tensor? dx, bool accumulate)
    {
        var x = node.X;
        int rows = x.Shape.Rows, channels = x.Shape.Last, each = RowsEach(rows), chunks = (rows + each - 1) / each;
        var factors = device.Workspace.Rent(new Shape(3, channels));
        var partial = device.Workspace.Rent(new Shape(chunks, 2, channels));
        var sums = new GradientSumBody
        {
            X = x.Data,
            Dy = dy.Data,
            StrideX = x.RowStride,
            StrideDy = dy.RowStride,
            Mean = node.Statistics.Data,
            Partial = partial.Data,
            Rows = rows,
            Each = each,
            Channels = channels,
            Slope = node.Slope,
        };
        device.Workers.For(chunks, ref sums);
        var combine = new GradientCombineBody
        {
            Partial = partial.Data,
            Inverse = node.Statistics.Data + channels,
            Gamma = node.Gamma is null ? null : node.Gamma.Data,
            GammaGrad = node.Gamma is null ? null : node.Gamma.GradForWrite(out _).Data,
            BetaGrad = node.Beta is null ? null : node.Beta.GradForWrite(out _).Data,
            Factors = factors.Data,
            Rows = rows,
            Chunks = chunks,
            Channels = channels,
            Training = node.Training,
        };
        device.Workers.For((channels + ChannelsPerTask - 1) / ChannelsPerTask, ref combine);
        if (dx is null)
        {
            return;
        }

        var body = new GradientBody
        {
            X = x.Data,
            Dy = dy.Data,
            Dx = dx.Data,
            StrideX = x.RowStride,
            StrideDy = dy.RowStride,
            StrideDx = dx.RowStride,
            Mean = node.Statistics.Data,
            Factors = factors.Data,
            Rows = rows,
            Each = each,
            Channels = channels,
            Slope = node.Slope,
            Accumulate = accumulate,
        };
        device.Workers.For(chunks, ref body);
    }

    /// <summary>
    /// Sums and sums of squares of one run of rows. The run's first row is subtracted first, so that a mean far from 0 does
    /// not cancel the variance.
    /// </summary>
    private struct SumBody : IParallelBody
    {
        public float* X, Partial;
        public nint Stride;
        public int Rows, Each, Channels;
        public float Slope;

        public void Run(int index, int worker)
        {
            int start = index * Each, end = Math.Min(start + Each, Rows), lanes = Channels & ~15;
            float* shift = Partial + ((nint)index * 3 * Channels);
            float* sum = shift + Channels;
            float* square = sum + Channels;
            float* first = X + (start * Stride);
            for (int c = 0; c < Channels; c++)
            {
                shift[c] = Activate(first[c], Slope);
                sum[c] = 0f;
                square[c] = 0f;
            }

            var slope = Vector512.Create(Slope);
            int row = start + 1;
            for (; row + 4 <= end; row += 4)
            {
                float* x0 = X + (row * Stride);
                float* x1 = x0 + Stride;
                float* x2 = x1 + Stride;
                float* x3 = x2 + Stride;
                for (int c = 0; c < lanes; c += 16)
                {
                    var k = Vector512.Load(shift + c);
                    var d0 = Activate(Vector512.Load(x0 + c), slope) - k;
                    var d1 = Activate(Vector512.Load(x1 + c), slope) - k;
                    var d2 = Activate(Vector512.Load(x2 + c), slope) - k;
                    var d3 = Activate(Vector512.Load(x3 + c), slope) - k;
                    (Vector512.Load(sum + c) + ((d0 + d1) + (d2 + d3))).Store(sum + c);
                    var low = Vector512.FusedMultiplyAdd(d0, d0, d1 * d1);
                    var high = Vector512.FusedMultiplyAdd(d2, d2, d3 * d3);
                    (Vector512.Load(square + c) + (low + high)).Store(square + c);
                }
            }

            for (; row < end; row++)
            {
                float* x0 = X + (row * Stride);
                for (int c = 0; c < lanes; c += 16)
                {
                    var d = Activate(Vector512.Load(x0 + c), slope) - Vector512.Load(shift + c);
                    (Vector512.Load(sum + c) + d).Store(sum + c);
                    Vector512.FusedMultiplyAdd(d, d, Vector512.Load(square + c)).Store(square + c);
                }
            }

            for (int c = lanes; c < Channels; c++)
            {
                for (row = start + 1; row < end; row++)
                {
                    float d = Activate(X[(row * Stride) + c], Slope) - shift[c];
                    sum[c] += d;
                    square[c] += d * d;
                }
            }
        }
    }

    /// <summary>Adds the runs' sums in order, in f64, and moves the running statistics.</summary>
    private struct CombineBody : IParallelBody
    {
        public float* Partial, Statistics, RunningMean, RunningVariance;
        public int Rows, Each, Chunks, Channels;
        public float Momentum, Eps;

        public void Run(int index, int worker)
        {
            double* mean = stackalloc double[ChannelsPerTask];
            double* spread = stackalloc double[ChannelsPerTask];
            int from = index * ChannelsPerTask, count = Math.Min(ChannelsPerTask, Channels - from);
            new Span<double>(mean, ChannelsPerTask).Clear();
            new Span<double>(spread, ChannelsPerTask).Clear();
            for (int chunk = 0; chunk < Chunks; chunk++)
            {
                float* shift = Partial + ((nint)chunk * 3 * Channels) + from;
                float* sum = shift + Channels;
                int length = Length(chunk);
                for (int c = 0; c < count; c++)
                {
                    mean[c] += ((double)shift[c] * length) + sum[c];
                }
            }

            double perRow = 1.0 / Rows;
            for (int c = 0; c < count; c++)
            {
                mean[c] *= perRow;
            }

            for (int chunk = 0; chunk < Chunks; chunk++)
            {
                float* shift = Partial + ((nint)chunk * 3 * Channels) + from;
                float* sum = shift + Channels;
                float* square = sum + Channels;
                int length = Length(chunk);
                double perLength = 1.0 / length;
                for (int c = 0; c < count; c++)
                {
                    double ofChunk = sum[c] * perLength, away = shift[c] + ofChunk - mean[c];
                    spread[c] += square[c] - (sum[c] * ofChunk) + (length * away * away);
                }
            }

            for (int c = 0; c < count; c++)
            {
                // Rounding may leave a constant channel slightly below 0.
                double variance = spread[c] < 0 ? 0 : spread[c] * perRow;
                Statistics[from + c] = (float)mean[c];
                Statistics[Channels + from + c] = (float)(1.0 / Math.Sqrt(variance + Eps));
                float* runningMean = RunningMean + from + c;
                float* runningVariance = RunningVariance + from + c;
                *runningMean = (float)(((1.0 - Momentum) * *runningMean) + (Momentum * mean[c]));
                *runningVariance = (float)(((1.0 - Momentum) * *runningVariance) + (Momentum * variance * Rows / (Rows - 1.0)));
            }
        }

        private readonly int Length(int chunk) => Math.Min(Each, Rows - (chunk * Each));
    }

    private struct NormalizeBody : IParallelBody
    {
        public float* X, Y, Mean, Affine;
        public nint StrideX, StrideY;
        public int Rows, Each, Channels;
        public float Slope;

        public void Run(int index, int worker)
        {
            int start = index * Each, end = Math.Min(start + Each, Rows), lanes = Channels & ~15;
            var slope = Vector512.Create(Slope);
            float* scale = Affine;
            float* offset = Affine + Channels;
            for (int row = start; row < end; row++)
            {
                float* x = X + (row * StrideX);
                float* y = Y + (row * StrideY);
                for (int c = 0; c < lanes; c += 16)
                {
                    var centred = Activate(Vector512.Load(x + c), slope) - Vector512.Load(Mean + c);
                    Vector512.FusedMultiplyAdd(centred, Vector512.Load(scale + c), Vector512.Load(offset + c)).Store(y + c);
                }

                for (int c = lanes; c < Channels; c++)
                {
                    y[c] = ((Activate(x[c], Slope) - Mean[c]) * scale[c]) + offset[c];
                }
            }
        }
    }

    /// <summary>Σ dy and Σ dy·(a − μ) of one run of rows.</summary>
    private struct GradientSumBody : IParallelBody
    {
        public float* X, Dy, Mean, Partial;
        public nint StrideX, StrideDy;
        public int Rows, Each, Channels;
        public float Slope;

        public void Run(int index, int worker)
        {
            int start = index * Each, end = Math.Min(start + Each, Rows), lanes = Channels & ~15;
            float* plain = Partial + ((nint)index * 2 * Channels);
            float* centred = plain + Channels;
            new Span<float>(plain, 2 * Channels).Clear();
            var slope = Vector512.Create(Slope);
            int row = start;
            for (; row + 2 <= end; row += 2)
            {
                float* x0 = X + (row * StrideX);
                float* x1 = x0 + StrideX;
                float* dy0 = Dy + (row * StrideDy);
                float* dy1 = dy0 + StrideDy;
                for (int c = 0; c < lanes; c += 16)
                {
                    var mean = Vector512.Load(Mean + c);
                    var g0 = Vector512.Load(dy0 + c);
                    var g1 = Vector512.Load(dy1 + c);
                    var a0 = Activate(Vector512.Load(x0 + c), slope) - mean;
                    var a1 = Activate(Vector512.Load(x1 + c), slope) - mean;
                    (Vector512.Load(plain + c) + (g0 + g1)).Store(plain + c);
                    (Vector512.Load(centred + c) + Vector512.FusedMultiplyAdd(g0, a0, g1 * a1)).Store(centred + c);
                }
            }

            for (; row < end; row++)
            {
                float* x = X + (row * StrideX);
                float* dy = Dy + (row * StrideDy);
                for (int c = 0; c < lanes; c += 16)
                {
                    var g = Vector512.Load(dy + c);
                    var a = Activate(Vector512.Load(x + c), slope) - Vector512.Load(Mean + c);
                    (Vector512.Load(plain + c) + g).Store(plain + c);
                    Vector512.FusedMultiplyAdd(g, a, Vector512.Load(centred + c)).Store(centred + c);
                }
            }

            for (int c = lanes; c < Channels; c++)
            {
                for (row = start; row < end; row++)
                {
                    float g = Dy[(row * StrideDy) + c];
                    plain[c] += g;
                    centred[c] += g * (Activate(X[(row * StrideX) + c], Slope) - Mean[c]);
                }
            }
        }
    }

    /// <summary>Gradients of γ and β, and the three per-channel factors of dx.</summary>
    private struct GradientCombineBody : IParallelBody
    {
        public float* Partial, Inverse, Gamma, GammaGrad, BetaGrad, Factors;
        public int Rows, Chunks, Channels;
        public bool Training;

        public void Run(int index, int worker)
        {
            double* plain = stackalloc double[ChannelsPerTask];
            double* centred = stackalloc double[ChannelsPerTask];
            int from = index * ChannelsPerTask, count = Math.Min(ChannelsPerTask, Channels - from);
            new Span<double>(plain, ChannelsPerTask).Clear();
            new Span<double>(centred, ChannelsPerTask).Clear();
            for (int chunk = 0; chunk < Chunks; chunk++)
            {
                float* sums = Partial + ((nint)chunk * 2 * Channels) + from;
                for (int c = 0; c < count; c++)
                {
                    plain[c] += sums[c];
                    centred[c] += sums[Channels + c];
                }
            }

            for (int c = 0; c < count; c++)
            {
                double inverse = Inverse[from + c], normalised = centred[c] * inverse;
                double scale = Gamma == null ? inverse : inverse * Gamma[from + c];
                if (GammaGrad != null)
                {
                    GammaGrad[from + c] += (float)normalised;
                }

                if (BetaGrad != null)
                {
                    BetaGrad[from + c] += (float)plain[c];
                }

                Factors[from + c] = (float)scale;
                Factors[Channels + from + c] = Training ? (float)(scale * plain[c] / Rows) : 0f;
                Factors[(2 * Channels) + from + c] = Training ? (float)(scale * inverse * normalised / Rows) : 0f;
            }
        }
    }

    /// <summary>dx = activation'(x) · (scale·dy − offset − factor·(a − μ)).</summary>
    private struct GradientBody : IParallelBody
    {
        public float* X, Dy, Dx, Mean, Factors;
        public nint StrideX, StrideDy, StrideDx;
        public int Rows, Each, Channels;
        public float Slope;
        public bool Accumulate;

        public void Run(int index, int worker)
        {
            int start = index * Each, end = Math.Min(start + Each, Rows), lanes = Channels & ~15;
            var slope = Vector512.Create(Slope);
            float* scale = Factors;
            float* offset = Factors + Channels;
            float* factor = offset + Channels;
            for (int row = start; row < end; row++)
            {
                float* x = X + (row * StrideX);
                float* dy = Dy + (row * StrideDy);
                float* dx = Dx + (row * StrideDx);
                for (int c = 0; c < lanes; c += 16)
                {
                    var value = Vector512.Load(x + c);
                    var positive = Vector512.GreaterThan(value, Vector512<float>.Zero);
                    var centred = Vector512.ConditionalSelect(positive, value, value * slope) - Vector512.Load(Mean + c);
                    var gradient = Vector512.FusedMultiplyAdd(Vector512.Load(scale + c), Vector512.Load(dy + c), -Vector512.Load(offset + c));
                    gradient = Vector512.FusedMultiplyAdd(-centred, Vector512.Load(factor + c), gradient);
                    gradient = Vector512.ConditionalSelect(positive, gradient, gradient * slope);
                    if (Accumulate)
                    {
                        gradient += Vector512.Load(dx + c);
                    }

                    gradient.Store(dx + c);
                }

                for (int c = lanes; c < Channels; c++)
                {
                    float centred = Activate(x[c], Slope) - Mean[c];
                    float gradient = (scale[c] * dy[c]) - offset[c] - (centred * factor[c]);
                    gradient = x[c] > 0f ? gradient : gradient * Slope;
                    dx[c] = Accumulate ? dx[c] + gradient : gradient;
                }
            }
        }
    }
}
