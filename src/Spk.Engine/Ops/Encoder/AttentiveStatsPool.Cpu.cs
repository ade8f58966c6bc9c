using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class AttentiveStatsPool
{
    // A block of an utterance, some hundred frames of 64 channels of scores and inputs, stays in the second-level cache
    // between the passes of the softmax.
    private const int ChannelsPerTask = 64;

    private static void CpuAddShared(CpuDevice device, Tensor hidden, Tensor shared)
    {
        var body = new SharedBody
        {
            Hidden = hidden.Data,
            Shared = shared.Data,
            StrideHidden = hidden.RowStride,
            StrideShared = shared.RowStride,
            Frames = hidden.Shape[1],
            Width = hidden.Shape[2],
        };
        device.Workers.For(hidden.Shape[0], ref body);
    }

    private static void CpuSharedBackward(CpuDevice device, Tensor gradient, Tensor shared, bool accumulate)
    {
        var body = new SharedBody
        {
            Hidden = gradient.Data,
            Shared = shared.Data,
            StrideHidden = gradient.RowStride,
            StrideShared = shared.RowStride,
            Frames = gradient.Shape[1],
            Width = gradient.Shape[2],
            Backward = true,
            Accumulate = accumulate,
        };
        device.Workers.For(gradient.Shape[0], ref body);
    }

    // Gives the weights of the frames [N, T, C].
    private static Tensor CpuPool(
        CpuDevice device, Tensor x, Tensor hidden, Tensor weight, Tensor bias, Tensor y, Tensor variances, float eps)
    {
        var scores = Linear.Forward(null, hidden, weight, bias);
        int channels = x.Shape[2], blocks = (channels + ChannelsPerTask - 1) / ChannelsPerTask;
        var body = new PoolBody
        {
            X = x.Data,
            Scores = scores.Data,
            Y = y.Data,
            Variances = variances.Data,
            StrideX = x.RowStride,
            StrideScores = scores.RowStride,
            Frames = x.Shape[1],
            Channels = channels,
            Blocks = blocks,
            Eps = eps,
        };
        device.Workers.For(x.Shape[0] * blocks, ref body);
        return scores;
    }

    // Gives the gradient of the scores, in the memory of the weights: each is read before it is written.
    private static Tensor CpuPoolBackward(CpuDevice device, PoolNode node, Tensor dy, Tensor? dx, bool accumulate)
    {
        int channels = node.X.Shape[2], blocks = (channels + ChannelsPerTask - 1) / ChannelsPerTask;
        var body = new PoolBackwardBody
        {
            X = node.X.Data,
            Weights = node.Softmax.Data,
            Y = node.Y.Data,
            Variances = node.Variances.Data,
            Dy = dy.Data,
            Dx = dx is null ? null : dx.Data,
            StrideX = node.X.RowStride,
            StrideWeights = node.Softmax.RowStride,
            StrideDy = dy.RowStride,
            StrideDx = dx?.RowStride ?? 0,
            Frames = node.X.Shape[1],
            Channels = channels,
            Blocks = blocks,
            Eps = node.Eps,
            Accumulate = accumulate,
        };
        device.Workers.For(node.X.Shape[0] * blocks, ref body);
        return node.Softmax;
    }

    private struct SharedBody : IParallelBody
    {
        public float* Hidden, Shared;
        public nint StrideHidden, StrideShared;
        public int Frames, Width;
        public bool Backward, Accumulate;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            float* hidden = Hidden + (index * (nint)Frames * StrideHidden);
            float* shared = Shared + (index * StrideShared);
            if (Backward && !Accumulate)
            {
                new Span<float>(shared, Width).Clear();
            }

            for (int t = 0; t < Frames; t++, hidden += StrideHidden)
            {
                float* from = Backward ? hidden : shared;
                float* to = Backward ? shared : hidden;
                int i = 0;
                for (; i + 16 <= Width; i += 16)
                {
                    (Vector512.Load(to + i) + Vector512.Load(from + i)).Store(to + i);
                }

                for (; i < Width; i++)
                {
                    to[i] += from[i];
                }
            }
        }
    }

    /// <summary>Replaces scores by their softmax over time and takes the weighted mean and deviation of x.</summary>
    private struct PoolBody : IParallelBody
    {
        public float* X, Scores, Y, Variances;
        public nint StrideX, StrideScores;
        public int Frames, Channels, Blocks;
        public float Eps;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int item = index / Blocks, from = index % Blocks * ChannelsPerTask, to = Math.Min(from + ChannelsPerTask, Channels);
            float* x = X + (item * (nint)Frames * StrideX);
            float* scores = Scores + (item * (nint)Frames * StrideScores);
            float* y = Y + ((nint)item * 2 * Channels);
            float* variances = Variances + ((nint)item * Channels);
            int c = from;
            for (; c + 32 <= to; c += 32)
            {
                Lanes(x + c, scores + c, y + c, variances + c);
            }

            for (; c < to; c++)
            {
                One(x + c, scores + c, y + c, variances + c);
            }
        }

        [MethodImpl(HotLoop.Options)]
        private readonly void Lanes(float* x, float* scores, float* y, float* variances)
        {
            var max0 = Vector512.Load(scores);
            var max1 = Vector512.Load(scores + 16);
            float* score = scores + StrideScores;
            for (int t = 1; t < Frames; t++, score += StrideScores)
            {
                max0 = Vector512.Max(max0, Vector512.Load(score));
                max1 = Vector512.Max(max1, Vector512.Load(score + 16));
            }

            // One pass: exponentials, their sum, and the weighted mean of x about its first frame.
            Vector512<float> sum0 = default, sum1 = default, first0 = default, first1 = default;
            var shift0 = Vector512.Load(x);
            var shift1 = Vector512.Load(x + 16);
            score = scores;
            float* at = x;
            for (int t = 0; t < Frames; t++, score += StrideScores, at += StrideX)
            {
                var e0 = Vector512.Exp(Vector512.Load(score) - max0);
                var e1 = Vector512.Exp(Vector512.Load(score + 16) - max1);
                e0.Store(score);
                e1.Store(score + 16);
                sum0 += e0;
                sum1 += e1;
                first0 = Vector512.FusedMultiplyAdd(e0, Vector512.Load(at) - shift0, first0);
                first1 = Vector512.FusedMultiplyAdd(e1, Vector512.Load(at + 16) - shift1, first1);
            }

            var inverse0 = Vector512<float>.One / sum0;
            var inverse1 = Vector512<float>.One / sum1;
            var mean0 = shift0 + (first0 * inverse0);
            var mean1 = shift1 + (first1 * inverse1);
            Vector512<float> variance0 = default, variance1 = default;
            score = scores;
            at = x;
            for (int t = 0; t < Frames; t++, score += StrideScores, at += StrideX)
            {
                var w0 = Vector512.Load(score) * inverse0;
                var w1 = Vector512.Load(score + 16) * inverse1;
                w0.Store(score);
                w1.Store(score + 16);
                var d0 = Vector512.Load(at) - mean0;
                var d1 = Vector512.Load(at + 16) - mean1;
                variance0 = Vector512.FusedMultiplyAdd(w0 * d0, d0, variance0);
                variance1 = Vector512.FusedMultiplyAdd(w1 * d1, d1, variance1);
            }

            mean0.Store(y);
            mean1.Store(y + 16);
            variance0.Store(variances);
            variance1.Store(variances + 16);
            var eps = Vector512.Create(Eps);
            Vector512.Sqrt(Vector512.ConditionalSelect(Vector512.LessThan(variance0, eps), eps, variance0)).Store(y + Channels);
            Vector512.Sqrt(Vector512.ConditionalSelect(Vector512.LessThan(variance1, eps), eps, variance1)).Store(y + Channels + 16);
        }

        private readonly void One(float* x, float* scores, float* y, float* variance)
        {
            float max = scores[0];
            for (int t = 1; t < Frames; t++)
            {
                max = MathF.Max(max, scores[t * StrideScores]);
            }

            float sum = 0f, first = 0f;
            for (int t = 0; t < Frames; t++)
            {
                float e = MathF.Exp(scores[t * StrideScores] - max);
                scores[t * StrideScores] = e;
                sum += e;
                first += e * (x[t * StrideX] - x[0]);
            }

            float mean = x[0] + (first / sum), spread = 0f;
            for (int t = 0; t < Frames; t++)
            {
                float weight = scores[t * StrideScores] / sum, d = x[t * StrideX] - mean;
                scores[t * StrideScores] = weight;
                spread += weight * d * d;
            }

            y[0] = mean;
            variance[0] = spread;
            y[Channels] = MathF.Sqrt(spread < Eps ? Eps : spread);
        }
    }

    /// <summary>
    /// With u = dmean and v = ddeviation / (2·deviation) (0 at the floor): dα = u·x + v·(x − mean)², so that
    /// dscore = α·(u·d + v·(d² − variance)) and dx = α·(u + 2·v·d) with d = x − mean. dscore replaces α.
    /// </summary>
    private struct PoolBackwardBody : IParallelBody
    {
        public float* X, Weights, Y, Variances, Dy, Dx;
        public nint StrideX, StrideWeights, StrideDy, StrideDx;
        public int Frames, Channels, Blocks;
        public float Eps;
        public bool Accumulate;

        [SkipLocalsInit]
        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            float* half = stackalloc float[ChannelsPerTask];
            int item = index / Blocks, from = index % Blocks * ChannelsPerTask, count = Math.Min(ChannelsPerTask, Channels - from);
            float* mean = Y + ((nint)item * 2 * Channels) + from;
            float* variance = Variances + ((nint)item * Channels) + from;
            float* dy = Dy + (item * StrideDy) + from;
            for (int c = 0; c < count; c++)
            {
                half[c] = variance[c] < Eps ? 0f : 0.5f * dy[Channels + c] / mean[Channels + c];
            }

            nint start = item * (nint)Frames;
            int lanes = count & ~15;
            for (int t = 0; t < Frames; t++)
            {
                float* x = X + ((start + t) * StrideX) + from;
                float* weights = Weights + ((start + t) * StrideWeights) + from;
                float* dx = Dx == null ? null : Dx + ((start + t) * StrideDx) + from;
                for (int c = 0; c < lanes; c += 16)
                {
                    var weight = Vector512.Load(weights + c);
                    var d = Vector512.Load(x + c) - Vector512.Load(mean + c);
                    var u = Vector512.Load(dy + c);
                    var v = Vector512.Load(half + c);
                    if (dx != null)
                    {
                        var gradient = weight * Vector512.FusedMultiplyAdd(v + v, d, u);
                        (Accumulate ? gradient + Vector512.Load(dx + c) : gradient).Store(dx + c);
                    }

                    var spread = Vector512.FusedMultiplyAdd(d, d, -Vector512.Load(variance + c));
                    (weight * Vector512.FusedMultiplyAdd(v, spread, u * d)).Store(weights + c);
                }

                for (int c = lanes; c < count; c++)
                {
                    float weight = weights[c], d = x[c] - mean[c];
                    if (dx != null)
                    {
                        float gradient = weight * (dy[c] + (2f * half[c] * d));
                        dx[c] = Accumulate ? dx[c] + gradient : gradient;
                    }

                    weights[c] = weight * ((dy[c] * d) + (half[c] * ((d * d) - variance[c])));
                }
            }
        }
    }
}
