using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Audio;

public static unsafe partial class MixNoise
{
    // f32 sums of squares run over this many samples before they join the f64 total.
    private const int SamplesPerSum = 1024;

    private static void CpuApply(CpuDevice device, Tensor waves, Tensor noise, ReadOnlySpan<float> snrDb)
    {
        fixed (float* ratios = snrDb)
        {
            var body = new Body
            {
                Waves = waves.Data,
                Noise = noise.Data,
                WaveStride = waves.RowStride,
                NoiseStride = noise.RowStride,
                Samples = waves.Shape[1],
                Ratios = ratios,
            };
            device.Workers.For(waves.Shape[1] == 0 ? 0 : snrDb.Length, ref body);
        }
    }

    private static double Level(float* x, int count)
    {
        double total = 0;
        int i = 0;
        while (i + Lanes.Count <= count)
        {
            var sum = Vector512<float>.Zero;
            int end = Math.Min(count - Lanes.Count + 1, i + SamplesPerSum);
            for (; i < end; i += Lanes.Count)
            {
                var value = Vector512.Load(x + i);
                sum = Vector512.FusedMultiplyAdd(value, value, sum);
            }

            total += Vector512.Sum(sum);
        }

        for (; i < count; i++)
        {
            total += (double)x[i] * x[i];
        }

        return 10 * Math.Log10((total / count) + LevelFloor);
    }

    private struct Body : IParallelBody
    {
        public float* Waves, Noise;
        public nint WaveStride, NoiseStride;
        public int Samples;
        public float* Ratios;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            float ratio = Ratios[index];
            if (float.IsNaN(ratio))
            {
                return;
            }

            float* x = Waves + (index * WaveStride);
            float* n = Noise + (index * NoiseStride);
            float gain = (float)Math.Pow(10, (Level(x, Samples) - Level(n, Samples) - ratio) / 20);
            int i = 0;
            for (; i + Lanes.Count <= Samples; i += Lanes.Count)
            {
                Vector512.FusedMultiplyAdd(Vector512.Load(n + i), Vector512.Create(gain), Vector512.Load(x + i)).Store(x + i);
            }

            for (; i < Samples; i++)
            {
                x[i] = MathF.FusedMultiplyAdd(n[i], gain, x[i]);
            }
        }
    }
}
