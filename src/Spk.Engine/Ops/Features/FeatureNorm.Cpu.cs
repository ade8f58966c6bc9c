using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Features;

public static unsafe partial class FeatureNorm
{
    // Sums over time run over this many frames before they join the total: keeps f32 rounding small for hours of audio.
    private const int FramesPerSum = 128;

    private static void CpuForward(CpuDevice device, Tensor x, Tensor y, Tensor? inverse, FeatureNormalization kind, float eps)
    {
        int channels = x.Shape[2];
        var body = new ForwardBody
        {
            X = x.Data,
            Y = y.Data,
            Inverse = inverse is null ? null : inverse.Data,
            Frames = x.Shape[1],
            Channels = channels,
            Groups = (channels + Lanes.Count - 1) / Lanes.Count,
            Divides = kind == FeatureNormalization.Instance,
            Epsilon = eps,
        };
        device.Workers.For(x.Shape[1] == 0 ? 0 : x.Shape[0] * body.Groups, ref body);
    }

    private static void CpuBackward(CpuDevice device, Tensor y, Tensor dy, Tensor? inverse, Tensor dx, bool accumulate)
    {
        int channels = y.Shape[2];
        var body = new BackwardBody
        {
            Y = y.Data,
            Dy = dy.Data,
            Dx = dx.Data,
            Inverse = inverse is null ? null : inverse.Data,
            Frames = y.Shape[1],
            Channels = channels,
            Groups = (channels + Lanes.Count - 1) / Lanes.Count,
            Accumulates = accumulate,
        };
        device.Workers.For(y.Shape[1] == 0 ? 0 : y.Shape[0] * body.Groups, ref body);
    }

    // One vector load per frame; half a group has its own, and an odd last group goes through single elements.
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector512<float> Load(float* at, int lanes)
    {
        if (lanes == Lanes.Count)
        {
            return Vector512.Load(at);
        }

        if (lanes == Lanes.Count / 2)
        {
            return Vector512.Create(Vector256.Load(at), Vector256<float>.Zero);
        }

        return LoadElements(at, lanes);
    }

    private static Vector512<float> LoadElements(float* at, int lanes)
    {
        float* places = stackalloc float[Lanes.Count];
        for (int i = 0; i < Lanes.Count; i++)
        {
            places[i] = i < lanes ? at[i] : 0f;
        }

        return Vector512.Load(places);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<float> value, float* at, int lanes)
    {
        if (lanes == Lanes.Count)
        {
            value.Store(at);
            return;
        }

        if (lanes == Lanes.Count / 2)
        {
            value.GetLower().Store(at);
            return;
        }

        for (int i = 0; i < lanes; i++)
        {
            at[i] = value[i];
        }
    }

    private struct ForwardBody : IParallelBody
    {
        public float* X, Y, Inverse;
        public int Frames, Channels, Groups;
        public bool Divides;
        public float Epsilon;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int utterance = index / Groups;
            int channel = (index - (utterance * Groups)) * Lanes.Count;
            int lanes = Math.Min(Lanes.Count, Channels - channel);
            nint offset = ((nint)utterance * Frames * Channels) + channel;
            float* x = X + offset;
            float* y = Y + offset;
            var mean = Sum(x, Vector512<float>.Zero, squared: false, lanes) / Frames;
            var scale = Vector512<float>.One;
            if (Divides)
            {
                var variance = Sum(x, mean, squared: true, lanes) / Frames;
                scale = Vector512<float>.One / Vector512.Sqrt(variance + Vector512.Create(Epsilon));
                if (Inverse != null)
                {
                    Store(scale, Inverse + ((nint)utterance * Channels) + channel, lanes);
                }
            }

            for (int t = 0; t < Frames; t++)
            {
                nint at = (nint)t * Channels;
                Store((Load(x + at, lanes) - mean) * scale, y + at, lanes);
            }
        }

        private readonly Vector512<float> Sum(float* x, Vector512<float> mean, bool squared, int lanes)
        {
            var total = Vector512<float>.Zero;
            for (int start = 0; start < Frames; start += FramesPerSum)
            {
                var sum = Vector512<float>.Zero;
                int end = Math.Min(Frames, start + FramesPerSum);
                for (int t = start; t < end; t++)
                {
                    var value = Load(x + ((nint)t * Channels), lanes) - mean;
                    sum = squared ? Vector512.FusedMultiplyAdd(value, value, sum) : sum + value;
                }

                total += sum;
            }

            return total;
        }
    }

    // dx = (dy − mean(dy) − y · mean(dy · y)) / deviation; without division only dy − mean(dy).
    private struct BackwardBody : IParallelBody
    {
        public float* Y, Dy, Dx, Inverse;
        public int Frames, Channels, Groups;
        public bool Accumulates;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int utterance = index / Groups;
            int channel = (index - (utterance * Groups)) * Lanes.Count;
            int lanes = Math.Min(Lanes.Count, Channels - channel);
            nint offset = ((nint)utterance * Frames * Channels) + channel;
            var sum = Vector512<float>.Zero;
            var product = Vector512<float>.Zero;
            for (int start = 0; start < Frames; start += FramesPerSum)
            {
                var partSum = Vector512<float>.Zero;
                var partProduct = Vector512<float>.Zero;
                int end = Math.Min(Frames, start + FramesPerSum);
                for (int t = start; t < end; t++)
                {
                    nint at = offset + ((nint)t * Channels);
                    var dy = Load(Dy + at, lanes);
                    partSum += dy;
                    partProduct = Vector512.FusedMultiplyAdd(dy, Load(Y + at, lanes), partProduct);
                }

                sum += partSum;
                product += partProduct;
            }

            bool divides = Inverse != null;
            var scale = divides ? Load(Inverse + ((nint)utterance * Channels) + channel, lanes) : Vector512<float>.One;
            var mean = sum / Frames;
            var slope = divides ? product / Frames : Vector512<float>.Zero;
            for (int t = 0; t < Frames; t++)
            {
                nint at = offset + ((nint)t * Channels);
                var dx = (Load(Dy + at, lanes) - mean - (Load(Y + at, lanes) * slope)) * scale;
                Store(Accumulates ? dx + Load(Dx + at, lanes) : dx, Dx + at, lanes);
            }
        }
    }
}
