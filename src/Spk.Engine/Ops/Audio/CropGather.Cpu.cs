using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Audio;

public static unsafe partial class CropGather
{
    // Tabulated positions between two samples; linear interpolation between neighbours leaves an error of about −82 dB, below
    // the kernel's own stop band of −72 dB.
    private const int Phases = 128;

    private static readonly KaiserSinc Kernel = new(crossings: 24, beta: 7);

    private static void ForwardCpu(CpuDevice device, Item* items, Tensor waves)
    {
        var body = new Body { Workers = device.WorkersHandle, Items = items, Waves = waves.Data, Samples = waves.Shape[1] };
        device.Workers.For(waves.Shape[0], ref body);
    }

    // Samples from..from + count − 1. Outside the utterance: its repetition where the crop runs past the end, else silence.
    private static void Read(in Item item, long from, int count, bool tiled, float* to)
    {
        int done = 0;
        while (done < count)
        {
            long at = from + done;
            if (tiled)
            {
                at %= item.Length;
                at = at < 0 ? at + item.Length : at;
            }

            if (at < 0 || at >= item.Length)
            {
                int silent = at < 0 ? (int)Math.Min(count - done, -at) : count - done;
                new Span<float>(to + done, silent).Clear();
                done += silent;
                continue;
            }

            int run = (int)Math.Min(count - done, item.Length - at);
            Convert(item.Data + at, to + done, run, item.Scale);
            done += run;
        }
    }

    private static void Convert(short* from, float* to, int count, float scale)
    {
        int i = 0;
        for (; i + 32 <= count; i += 32)
        {
            var (low, high) = Vector512.Widen(Vector512.Load(from + i));
            (Vector512.ConvertToSingle(low) * scale).Store(to + i);
            (Vector512.ConvertToSingle(high) * scale).Store(to + i + 16);
        }

        for (; i < count; i++)
        {
            to[i] = from[i] * scale;
        }
    }

    private struct Body : IParallelBody
    {
        public nint Workers;
        public Item* Items;
        public float* Waves;
        public int Samples;

        public void Run(int index, int worker)
        {
            var item = Items[index];
            float* to = Waves + ((nint)index * Samples);
            if (item.Speed == 1f)
            {
                Read(item, item.Start, Samples, item.Start + (long)Samples > item.Length, to);
                return;
            }

            Stretch(item, to, WorkerPool.Of(Workers), worker);
        }

        private readonly void Stretch(in Item item, float* to, WorkerPool pool, int worker)
        {
            double speed = item.Speed;
            double cutoff = Kernel.Cutoff(speed);
            int half = Kernel.HalfWidth(cutoff);
            int taps = ((2 * half) + Lanes.Count - 1) / Lanes.Count * Lanes.Count;
            int span = (int)((Samples - 1) * speed) + 1;
            int needed = span + taps + 1;
            float* table = (float*)pool.Scratch(worker, (nuint)(((Phases + 1) * taps) + needed) * sizeof(float));
            float* input = table + ((Phases + 1) * taps);
            for (int phase = 0; phase <= Phases; phase++)
            {
                Kernel.Fill((double)phase / Phases, cutoff, new Span<float>(table + (phase * taps), taps));
            }

            Read(item, item.Start - half + 1L, needed, item.Start + (long)span > item.Length, input);
            for (int i = 0; i < Samples; i++)
            {
                double position = i * speed;
                int whole = (int)position;
                double place = (position - whole) * Phases;
                int phase = (int)place;
                float* weights = table + (phase * taps);
                var below = Vector512<float>.Zero;
                var above = Vector512<float>.Zero;
                for (int t = 0; t < taps; t += Lanes.Count)
                {
                    var x = Vector512.Load(input + whole + t);
                    below = Vector512.FusedMultiplyAdd(x, Vector512.Load(weights + t), below);
                    above = Vector512.FusedMultiplyAdd(x, Vector512.Load(weights + taps + t), above);
                }

                var share = Vector512.Create((float)(place - phase));
                to[i] = Vector512.Sum(Vector512.FusedMultiplyAdd(above - below, share, below));
            }
        }
    }
}
