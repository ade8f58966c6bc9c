using System.Runtime.Intrinsics;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Audio;

public static unsafe partial class ConvolveRir
{
    private static void ApplyCpu(CpuDevice device, Tensor waves, RirBank bank, ReadOnlySpan<int> response)
    {
        fixed (int* indices = response)
        {
            var body = new Body
            {
                Workers = device.WorkersHandle,
                Waves = waves.Data,
                WaveStride = waves.RowStride,
                Samples = waves.Shape[1],
                Spectra = bank.Spectra.Data,
                PartStride = bank.Fft.PartStride,
                SpectrumBytes = bank.Fft.SpectrumBytes,
                ScratchBytes = bank.Fft.ScratchBytes,
                Fft = bank.Fft.Tables,
                Indices = indices,
            };
            device.Workers.For(response.Length, ref body);
        }

        GC.KeepAlive(bank);
    }

    private struct Body : IParallelBody
    {
        public nint Workers;
        public float* Waves;
        public nint WaveStride;
        public int Samples;
        public float* Spectra;
        public int PartStride;
        public nuint SpectrumBytes, ScratchBytes;
        public RealFft.View Fft;
        public int* Indices;

        public void Run(int index, int worker)
        {
            int response = Indices[index];
            if (response < 0)
            {
                return;
            }

            byte* scratch = WorkerPool.Of(Workers).Scratch(worker, SpectrumBytes + ScratchBytes);
            float* spectrum = (float*)scratch;
            float* working = (float*)(scratch + SpectrumBytes);
            float* wave = Waves + (index * WaveStride);
            Fft.Forward(wave, Samples, spectrum, working);
            Multiply(spectrum, Spectra + ((nint)response * 2 * PartStride));
            Fft.Inverse(spectrum, wave, Samples, working);
        }

        // The room for whole vectors at the end of each part holds numbers that nobody reads.
        private readonly void Multiply(float* x, float* h)
        {
            for (int k = 0; k < PartStride; k += Lanes.Count)
            {
                var xr = Vector512.Load(x + k);
                var xi = Vector512.Load(x + PartStride + k);
                var hr = Vector512.Load(h + k);
                var hi = Vector512.Load(h + PartStride + k);
                Vector512.FusedMultiplyAdd(xr, hr, -(xi * hi)).Store(x + k);
                Vector512.FusedMultiplyAdd(xr, hi, xi * hr).Store(x + PartStride + k);
            }
        }
    }
}
