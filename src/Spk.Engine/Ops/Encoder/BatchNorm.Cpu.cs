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

    private static int Runs(int rows) => (rows + RowsEach(rows) - 1) / RowsEach(rows);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Activate(Vector512<float> x, Vector512<float> slope) =>
        Vector512.ConditionalSelect(Vector512.GreaterThan(x, Vector512<float>.Zero), x, x * slope);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Activate(float x, float slope) => x > 0f ? x : x * slope;

    private static void CpuForward(
        CpuDevice device,
        Tensor x,
        Tensor y,
        Tensor statistics,
        Tensor? gamma,
        Tensor? beta,
        Tensor runningMean,
        Tensor runningVariance,
        bool training,
        float momentum,
        float eps,
        float slope,
        Tensor? addTo)
    {
        if (training)
        {
            Measure(device, x, statistics, slope, runningMean, runningVariance, momentum, eps);
        }
        else
        {
            Recall(statistics, runningMean, runningVariance, eps);
        }

        Normalize(device, x, y, statistics, gamma, beta, slope, addTo);
    }

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
        int tasks = (channels + ChannelsPerTask - 1) / ChannelsPerTask;
        int ranks = device.Collective.Ranks;
        if (ranks > 1)
        {
            // To the others, all rows of a process are one run.
            var own = device.Workspace.Rent(new Shape(3, channels));
            combine.Merged = own.Data;
            device.Workers.For(tasks, ref combine);
            var all = device.Workspace.Rent(new Shape(ranks * 3, channels));
            device.Collective.Gather(own, all);
            combine.Partial = all.Data;
            combine.Merged = null;
            (combine.Rows, combine.Each, combine.Chunks) = (ranks * rows, rows, ranks);
        }

        device.Workers.For(tasks, ref combine);
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

    // What the map ahead multiplies by: the same bits as of Recall and Normalize.
    private static void CpuScale(Tensor runningVariance, Tensor? gamma, float eps, Tensor scale)
    {
        for (int c = 0; c < scale.Count; c++)
        {
            float inverse = (float)(1.0 / Math.Sqrt((double)runningVariance.Data[c] + eps));
            scale.Data[c] = gamma is null ? inverse : inverse * gamma.Data[c];
        }
    }

    private static void Normalize(CpuDevice device, Tensor x, Tensor y, Tensor statistics, Tensor? gamma, Tensor? beta, float slope, Tensor? addTo)
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
            AddTo = addTo is null ? null : addTo.Data,
            StrideAddTo = addTo?.RowStride ?? 0,
            Mean = statistics.Data,
            Affine = affine.Data,
            Rows = rows,
            Each = each,
            Channels = channels,
            Slope = slope,
        };
        device.Workers.For((rows + each - 1) / each, ref body);
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

        [MethodImpl(HotLoop.Options)]
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

    /// <summary>Adds the runs' sums in order, in f64, and moves the running statistics; or writes the sums of one run that joins them.</summary>
    private struct CombineBody : IParallelBody
    {
        public float* Partial, Merged, Statistics, RunningMean, RunningVariance;
        public int Rows, Each, Chunks, Channels;
        public float Momentum, Eps;

        [MethodImpl(HotLoop.Options)]
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

            if (Merged != null)
            {
                WriteRun(from, count, mean, spread);
                return;
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

        private readonly void WriteRun(int from, int count, double* mean, double* spread)
        {
            for (int c = 0; c < count; c++)
            {
                // What the mean loses as f32 is kept in the sum.
                float* shift = Merged + from + c;
                *shift = (float)mean[c];
                double away = mean[c] - *shift;
                shift[Channels] = (float)(away * Rows);
                shift[2 * Channels] = (float)(Math.Max(0, spread[c]) + (away * away * Rows));
            }
        }
    }

    private struct NormalizeBody : IParallelBody
    {
        public float* X, Y, AddTo, Mean, Affine;
        public nint StrideX, StrideY, StrideAddTo;
        public int Rows, Each, Channels;
        public float Slope;

        [MethodImpl(HotLoop.Options)]
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
                float* sum = AddTo == null ? null : AddTo + (row * StrideAddTo);
                for (int c = 0; c < lanes; c += 16)
                {
                    var centred = Activate(Vector512.Load(x + c), slope) - Vector512.Load(Mean + c);
                    var normalised = Vector512.FusedMultiplyAdd(centred, Vector512.Load(scale + c), Vector512.Load(offset + c));
                    normalised.Store(y + c);
                    if (sum != null)
                    {
                        (Vector512.Load(sum + c) + normalised).Store(sum + c);
                    }
                }

                for (int c = lanes; c < Channels; c++)
                {
                    y[c] = ((Activate(x[c], Slope) - Mean[c]) * scale[c]) + offset[c];
                    if (sum != null)
                    {
                        sum[c] += y[c];
                    }
                }
            }
        }
    }
}
