using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Audio;

public static unsafe partial class CropGather
{
    private static void CpuForward(CpuDevice device, PcmSource source, ReadOnlySpan<CropRequest> crops, Tensor waves)
    {
        var items = (Item*)device.Workspace.Rent(new Shape(crops.Length, sizeof(Item) / sizeof(int)), ElementType.Int32).Address;
        for (int row = 0; row < crops.Length; row++)
        {
            items[row] = Resolve(source, crops[row]);
        }

        var body = new Body { Workers = device.WorkersHandle, Items = items, Waves = waves.Data, Samples = waves.Shape[1] };
        device.Workers.For(waves.Shape[0], ref body);
        GC.KeepAlive(source);
    }

    private static void Read(in Item item, long from, int count, bool tiled, float* to)
    {
        var pieces = new CropPieces(item.Length, from, count, tiled);
        while (pieces.Next())
        {
            if (pieces.Start < 0)
            {
                new Span<float>(to + pieces.Offset, pieces.Count).Clear();
            }
            else
            {
                Convert(item.Data + pieces.Start, to + pieces.Offset, pieces.Count, item.Scale);
            }
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

        [MethodImpl(HotLoop.Options)]
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
            int span = Span(Samples, speed);
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
