using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class BatchNorm
{
    private static void CpuBackward(CpuDevice device, Node node, Tensor dy, Tensor? more, Tensor? dx, bool accumulate, Tensor? sums)
    {
        var x = node.X;
        int rows = x.Shape.Rows, channels = x.Shape.Last, each = RowsEach(rows), chunks = (rows + each - 1) / each;
        var factors = device.Workspace.Rent(new Shape(3, channels));
        var partial = device.Workspace.Rent(new Shape(chunks, 2, channels));
        var gradientSums = new GradientSumBody
        {
            X = x.Data,
            Dy = dy.Data,
            StrideX = x.RowStride,
            StrideDy = dy.RowStride,
            More = more is null ? null : more.Data,
            StrideMore = more?.RowStride ?? 0,
            Mean = node.Statistics.Data,
            Partial = partial.Data,
            Rows = rows,
            Each = each,
            Channels = channels,
            Slope = node.Slope,
        };
        device.Workers.For(chunks, ref gradientSums);
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
        if (node.Training && device.Collective.Ranks > 1)
        {
            // All but the scale are means over rows, and all processes have as many.
            device.Collective.Average(factors.Slice(1, 2));
        }

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
            Sums = sums is null ? null : sums.Data,
            Rows = rows,
            Each = each,
            Channels = channels,
            Slope = node.Slope,
            Accumulate = accumulate,
        };
        device.Workers.For(chunks, ref body);
    }

    /// <summary>Σ dy and Σ dy·(a − μ) of one run of rows, after dy += more where there is more.</summary>
    private struct GradientSumBody : IParallelBody
    {
        public float* X, Dy, More, Mean, Partial;
        public nint StrideX, StrideDy, StrideMore;
        public int Rows, Each, Channels;
        public float Slope;

        [MethodImpl(HotLoop.Options)]
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
                AddMore(row);
                AddMore(row + 1);
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
                AddMore(row);
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

        private readonly void AddMore(int row)
        {
            if (More != null)
            {
                var dy = new Span<float>(Dy + (row * StrideDy), Channels);
                TensorPrimitives.Add(dy, new ReadOnlySpan<float>(More + (row * StrideMore), Channels), dy);
            }
        }
    }

    /// <summary>Gradients of γ and β, and the three per-channel factors of dx.</summary>
    private struct GradientCombineBody : IParallelBody
    {
        public float* Partial, Inverse, Gamma, GammaGrad, BetaGrad, Factors;
        public int Rows, Chunks, Channels;
        public bool Training;

        [MethodImpl(HotLoop.Options)]
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

    /// <summary>dx = activation'(x) · (scale·dy − offset − factor·(a − μ)), and its sums over one run of rows where they are wanted.</summary>
    private struct GradientBody : IParallelBody
    {
        public float* X, Dy, Dx, Mean, Factors, Sums;
        public nint StrideX, StrideDy, StrideDx;
        public int Rows, Each, Channels;
        public float Slope;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int start = index * Each, end = Math.Min(start + Each, Rows), lanes = Channels & ~15;
            var slope = Vector512.Create(Slope);
            float* scale = Factors;
            float* offset = Factors + Channels;
            float* factor = offset + Channels;
            float* sums = Sums == null ? null : Sums + ((nint)index * Channels);
            if (sums != null)
            {
                new Span<float>(sums, Channels).Clear();
            }

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
                    if (sums != null)
                    {
                        (Vector512.Load(sums + c) + gradient).Store(sums + c);
                    }
                }

                for (int c = lanes; c < Channels; c++)
                {
                    float centred = Activate(x[c], Slope) - Mean[c];
                    float gradient = (scale[c] * dy[c]) - offset[c] - (centred * factor[c]);
                    gradient = x[c] > 0f ? gradient : gradient * Slope;
                    dx[c] = Accumulate ? dx[c] + gradient : gradient;
                    if (sums != null)
                    {
                        sums[c] += gradient;
                    }
                }
            }
        }
    }
}
