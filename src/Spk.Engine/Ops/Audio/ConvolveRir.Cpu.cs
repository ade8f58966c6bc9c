using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Audio;

public static unsafe partial class ConvolveRir
{
    private static void CpuApply(CpuDevice device, Tensor waves, CpuRooms rooms, ReadOnlySpan<int> response)
    {
        fixed (int* indices = response)
        {
            var body = new Body
            {
                Workers = device.WorkersHandle,
                Waves = waves.Data,
                WaveStride = waves.RowStride,
                Samples = waves.Shape[1],
                Spectra = rooms.Spectra.Data,
                PartStride = rooms.Fft.PartStride,
                SpectrumBytes = rooms.Fft.SpectrumBytes,
                ScratchBytes = rooms.Fft.ScratchBytes,
                Fft = rooms.Fft.Tables,
                Indices = indices,
            };
            device.Workers.For(response.Length, ref body);
        }

        GC.KeepAlive(rooms);
    }

    /// <summary>The transforms of whole responses, of a length that holds waveform and response without wrapping around.</summary>
    private sealed class CpuRooms : Rooms
    {
        public CpuRooms(CpuDevice device, IReadOnlyList<float[]> responses, int samples)
        {
            int longest = responses.Select(r => r.Length).Append(1).Max();
            long needed = (long)samples + longest - 1;
            if (needed > RealFft.MaximumLength)
            {
                throw new ShapeException($"Waveforms of {samples} samples are too long to convolve with responses of {longest}: cut them first.");
            }

            Fft = new RealFft((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(needed, RealFft.MinimumLength)));
            Spectra = device.AllocatePersistent(new Shape(responses.Count, 2 * Fft.PartStride));
            byte* scratch = device.Workers.Scratch(0, Fft.ScratchBytes);
            for (int r = 0; r < responses.Count; r++)
            {
                fixed (float* response = responses[r])
                {
                    Fft.Forward(response, responses[r].Length, Spectra.Row(r), (float*)scratch);
                }
            }
        }

        public RealFft Fft { get; }

        /// <summary>f32 [Count, 2, PartStride]: real parts, then imaginary parts.</summary>
        public Tensor Spectra { get; }
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

        [MethodImpl(HotLoop.Options)]
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
