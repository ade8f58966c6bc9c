using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using TensorPrimitives = System.Numerics.Tensors.TensorPrimitives;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class SelfAttentivePool
{
    private static void CpuMean(CpuDevice cpu, Tensor x, Tensor y)
    {
        var body = new MeanBody { Map = x.Data, Frames = y.Data, Rows = x.Shape[1], Elements = x.Shape[2] * x.Shape[3] };
        cpu.Workers.For(x.Shape[0], ref body);
    }

    private static void CpuMeanBackward(CpuDevice cpu, Tensor dy, Tensor dx, bool accumulate)
    {
        var body = new MeanBackwardBody
        {
            Map = dx.Data,
            Frames = dy.Data,
            Rows = dx.Shape[1],
            Elements = dx.Shape[2] * dx.Shape[3],
            Accumulate = accumulate,
        };
        cpu.Workers.For(dx.Shape[0], ref body);
    }

    private static void CpuAttend(CpuDevice cpu, Tensor frames, Tensor hidden, Tensor attention, Tensor weights, Tensor y)
    {
        var body = new AttendBody
        {
            Frames = frames.Data,
            Hidden = hidden.Data,
            Attention = attention.Data,
            Weights = weights.Data,
            Y = y.Data,
            Count = frames.Shape[1],
            Channels = frames.Shape[2],
            Width = hidden.Shape[2],
        };
        cpu.Workers.For(frames.Shape[0], ref body);
    }

    private static void CpuAttendBackward(
        CpuDevice cpu, AttendNode node, Tensor dy, Tensor? framesGradient, bool accumulate, Tensor hiddenGradient, Tensor ofItems, Tensor attentionGradient, bool adds)
    {
        var body = new AttendBackwardBody
        {
            Frames = node.Frames.Data,
            Hidden = node.Hidden.Data,
            Attention = node.Attention.Data,
            Weights = node.Weights.Data,
            Y = node.Y.Data,
            Dy = dy.Data,
            FramesGradient = framesGradient is null ? null : framesGradient.Data,
            HiddenGradient = hiddenGradient.Data,
            OfItems = ofItems.Data,
            Count = node.Frames.Shape[1],
            Channels = node.Frames.Shape[2],
            Width = node.Hidden.Shape[2],
            Accumulate = accumulate,
        };
        cpu.Workers.For(node.Frames.Shape[0], ref body);
        ColumnSum.Run(cpu, ofItems, attentionGradient.Data, adds);
    }

    // to[i] += factor · from[i], or without what was there.
    private static void AddScaled(float* from, float factor, float* to, int count, bool adds)
    {
        int i = 0;
        var factors = Vector512.Create(factor);
        for (; i <= count - 16; i += 16)
        {
            var value = Vector512.Load(from + i);
            (adds ? Vector512.FusedMultiplyAdd(value, factors, Vector512.Load(to + i)) : value * factors).Store(to + i);
        }

        for (; i < count; i++)
        {
            to[i] = adds ? MathF.FusedMultiplyAdd(from[i], factor, to[i]) : from[i] * factor;
        }
    }

    private struct MeanBody : IParallelBody
    {
        public float* Map, Frames;
        public int Rows, Elements;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            float* to = Frames + ((nint)index * Elements);
            for (int row = 0; row < Rows; row++)
            {
                AddScaled(Map + ((((nint)index * Rows) + row) * Elements), 1f / Rows, to, Elements, adds: row > 0);
            }
        }
    }

    private struct MeanBackwardBody : IParallelBody
    {
        public float* Map, Frames;
        public int Rows, Elements;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            float* from = Frames + ((nint)index * Elements);
            for (int row = 0; row < Rows; row++)
            {
                AddScaled(from, 1f / Rows, Map + ((((nint)index * Rows) + row) * Elements), Elements, Accumulate);
            }
        }
    }

    private struct AttendBody : IParallelBody
    {
        public float* Frames, Hidden, Attention, Weights, Y;
        public int Count, Channels, Width;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            var weights = new Span<float>(Weights + ((nint)index * Count), Count);
            float* hidden = Hidden + ((nint)index * Count * Width);
            var attention = new ReadOnlySpan<float>(Attention, Width);
            for (int t = 0; t < Count; t++)
            {
                weights[t] = TensorPrimitives.Dot(new ReadOnlySpan<float>(hidden + ((nint)t * Width), Width), attention);
            }

            TensorPrimitives.Subtract(weights, TensorPrimitives.Max<float>(weights), weights);
            TensorPrimitives.Exp(weights, weights);
            TensorPrimitives.Divide(weights, TensorPrimitives.Sum<float>(weights), weights);
            float* frames = Frames + ((nint)index * Count * Channels);
            float* y = Y + ((nint)index * Channels);
            for (int t = 0; t < Count; t++)
            {
                AddScaled(frames + ((nint)t * Channels), weights[t], y, Channels, adds: t > 0);
            }
        }
    }

    private struct AttendBackwardBody : IParallelBody
    {
        public float* Frames, Hidden, Attention, Weights, Y, Dy, FramesGradient, HiddenGradient, OfItems;
        public int Count, Channels, Width;
        public bool Accumulate;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            var dy = new ReadOnlySpan<float>(Dy + ((nint)index * Channels), Channels);
            float mean = TensorPrimitives.Dot(dy, new ReadOnlySpan<float>(Y + ((nint)index * Channels), Channels));
            float* attentionGradient = OfItems + ((nint)index * Width);
            for (int t = 0; t < Count; t++)
            {
                nint row = ((nint)index * Count) + t;
                float* frame = Frames + (row * Channels);
                float weight = Weights[row];
                float score = weight * (TensorPrimitives.Dot(dy, new ReadOnlySpan<float>(frame, Channels)) - mean);
                AddScaled(Attention, score, HiddenGradient + (row * Width), Width, adds: false);
                AddScaled(Hidden + (row * Width), score, attentionGradient, Width, adds: t > 0);
                if (FramesGradient != null)
                {
                    AddScaled(Dy + ((nint)index * Channels), weight, FramesGradient + (row * Channels), Channels, Accumulate);
                }
            }
        }
    }
}
