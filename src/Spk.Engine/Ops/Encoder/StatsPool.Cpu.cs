using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class StatsPool
{
    // A block of an utterance, some hundred frames of 128 channels, stays in the second-level cache between two passes.
    private const int ChannelsPerTask = 128;

    private static void CpuForward(CpuDevice device, Tensor x, Tensor y, float eps, PoolVariance variance)
    {
        int channels = x.Shape[2], blocks = (channels + ChannelsPerTask - 1) / ChannelsPerTask;
        var body = new ForwardBody
        {
            X = x.Data,
            Y = y.Data,
            Stride = x.RowStride,
            Frames = x.Shape[1],
            Channels = channels,
            Blocks = blocks,
            Eps = eps,
            Unbiased = variance == PoolVariance.UnbiasedPlusEps,
        };
        device.Workers.For(x.Shape[0] * blocks, ref body);
    }

    private static void CpuBackward(
        CpuDevice device, Tensor x, Tensor y, Tensor dy, Tensor dx, float eps, PoolVariance variance, bool accumulate)
    {
        int channels = x.Shape[2], blocks = (channels + ChannelsPerTask - 1) / ChannelsPerTask;
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
            Frames = x.Shape[1],
            Channels = channels,
            Blocks = blocks,
            // At or below the clamp the deviation is √eps, rounded; above it is larger.
            Floor = variance == PoolVariance.BiasedClamped ? MathF.Sqrt(eps) : -1f,
            Unbiased = variance == PoolVariance.UnbiasedPlusEps,
            Accumulate = accumulate,
        };
        device.Workers.For(x.Shape[0] * blocks, ref body);
    }

    private struct ForwardBody : IParallelBody
    {
        public float* X, Y;
        public nint Stride;
        public int Frames, Channels, Blocks;
        public float Eps;
        public bool Unbiased;

        [SkipLocalsInit]
        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            float* mean = stackalloc float[ChannelsPerTask];
            float* square = stackalloc float[ChannelsPerTask];
            int item = index / Blocks, from = index % Blocks * ChannelsPerTask, count = Math.Min(ChannelsPerTask, Channels - from);
            float* x = X + (item * (nint)Frames * Stride) + from;
            Sum(x, count, mean);
            float perFrame = 1f / Frames;
            for (int c = 0; c < count; c++)
            {
                mean[c] *= perFrame;
            }

            Squares(x, count, mean, square);
            float* y = Y + ((nint)item * 2 * Channels) + from;
            for (int c = 0; c < count; c++)
            {
                y[c] = mean[c];
                float variance = square[c] / (Unbiased ? Frames - 1 : Frames);
                // A comparison keeps a NaN where a maximum might swallow it.
                y[Channels + c] = MathF.Sqrt(Unbiased ? variance + Eps : variance < Eps ? Eps : variance);
            }
        }

        private readonly void Sum(float* x, int count, float* sum)
        {
            int c = 0;
            for (; c + 64 <= count; c += 64)
            {
                Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
                float* at = x + c;
                for (int t = 0; t < Frames; t++, at += Stride)
                {
                    s0 += Vector512.Load(at);
                    s1 += Vector512.Load(at + 16);
                    s2 += Vector512.Load(at + 32);
                    s3 += Vector512.Load(at + 48);
                }

                s0.Store(sum + c);
                s1.Store(sum + c + 16);
                s2.Store(sum + c + 32);
                s3.Store(sum + c + 48);
            }

            for (; c + 16 <= count; c += 16)
            {
                Vector512<float> s = default;
                for (int t = 0; t < Frames; t++)
                {
                    s += Vector512.Load(x + (t * Stride) + c);
                }

                s.Store(sum + c);
            }

            for (; c < count; c++)
            {
                float s = 0f;
                for (int t = 0; t < Frames; t++)
                {
                    s += x[(t * Stride) + c];
                }

                sum[c] = s;
            }
        }

        private readonly void Squares(float* x, int count, float* mean, float* square)
        {
            int c = 0;
            for (; c + 64 <= count; c += 64)
            {
                Vector512<float> s0 = default, s1 = default, s2 = default, s3 = default;
                var m0 = Vector512.Load(mean + c);
                var m1 = Vector512.Load(mean + c + 16);
                var m2 = Vector512.Load(mean + c + 32);
                var m3 = Vector512.Load(mean + c + 48);
                float* at = x + c;
                for (int t = 0; t < Frames; t++, at += Stride)
                {
                    var d0 = Vector512.Load(at) - m0;
                    var d1 = Vector512.Load(at + 16) - m1;
                    var d2 = Vector512.Load(at + 32) - m2;
                    var d3 = Vector512.Load(at + 48) - m3;
                    s0 = Vector512.FusedMultiplyAdd(d0, d0, s0);
                    s1 = Vector512.FusedMultiplyAdd(d1, d1, s1);
                    s2 = Vector512.FusedMultiplyAdd(d2, d2, s2);
                    s3 = Vector512.FusedMultiplyAdd(d3, d3, s3);
                }

                s0.Store(square + c);
                s1.Store(square + c + 16);
                s2.Store(square + c + 32);
                s3.Store(square + c + 48);
            }

            for (; c + 16 <= count; c += 16)
            {
                Vector512<float> s = default;
                var m = Vector512.Load(mean + c);
                for (int t = 0; t < Frames; t++)
                {
                    var d = Vector512.Load(x + (t * Stride) + c) - m;
                    s = Vector512.FusedMultiplyAdd(d, d, s);
                }

                s.Store(square + c);
            }

            for (; c < count; c++)
            {
                float s = 0f;
                for (int t = 0; t < Frames; t++)
                {
                    float d = x[(t * Stride) + c] - mean[c];
                    s += d * d;
                }

                square[c] = s;
            }
        }
    }

    /// <summary>dx = dmean / T + ddeviation · (x − mean) / (deviation · frames of the variance).</summary>
    private struct BackwardBody : IParallelBody
    {
        public float* X, Y, Dy, Dx;
        public nint StrideX, StrideY, StrideDy, StrideDx;
        public int Frames, Channels, Blocks;
        public float Floor;
        public bool Unbiased, Accumulate;

        [SkipLocalsInit]
        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            float* constant = stackalloc float[ChannelsPerTask];
            float* factor = stackalloc float[ChannelsPerTask];
            int item = index / Blocks, from = index % Blocks * ChannelsPerTask, count = Math.Min(ChannelsPerTask, Channels - from);
            float* mean = Y + (item * StrideY) + from;
            float* dy = Dy + (item * StrideDy) + from;
            for (int c = 0; c < count; c++)
            {
                float deviation = mean[Channels + c];
                constant[c] = dy[c] / Frames;
                factor[c] = deviation <= Floor ? 0f : dy[Channels + c] / (deviation * (Unbiased ? Frames - 1 : Frames));
            }

            float* x = X + (item * (nint)Frames * StrideX) + from;
            float* dx = Dx + (item * (nint)Frames * StrideDx) + from;
            int lanes = count & ~15;
            for (int t = 0; t < Frames; t++, x += StrideX, dx += StrideDx)
            {
                for (int c = 0; c < lanes; c += 16)
                {
                    var centred = Vector512.Load(x + c) - Vector512.Load(mean + c);
                    var gradient = Vector512.FusedMultiplyAdd(centred, Vector512.Load(factor + c), Vector512.Load(constant + c));
                    if (Accumulate)
                    {
                        gradient += Vector512.Load(dx + c);
                    }

                    gradient.Store(dx + c);
                }

                for (int c = lanes; c < count; c++)
                {
                    float gradient = ((x[c] - mean[c]) * factor[c]) + constant[c];
                    dx[c] = Accumulate ? dx[c] + gradient : gradient;
                }
            }
        }
    }
}
