using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Features;

public static unsafe partial class Fbank
{
    // Frames of one parallel item: four groups of 16.
    private const int FramesPerItem = 4 * Lanes.Count;

    private static void CpuForward(CpuDevice device, FeatureTables tables, Tensor waves, Tensor features, ulong? ditherSeed, long ditherEpoch)
    {
        var spec = tables.Spec;
        int frames = features.Shape[1];
        bool torchaudio = spec.Flavor == FeatureFlavor.Torchaudio;
        var body = new Body
        {
            Workers = device.WorkersHandle,
            Waves = waves.Data,
            WaveStride = waves.RowStride,
            Samples = waves.Shape[1],
            Features = features.Data,
            Frames = frames,
            TotalFrames = waves.Shape[0] * frames,
            Bins = spec.Bins,
            FrameLength = spec.FrameLength,
            FrameShift = spec.FrameShift,
            FirstStart = FirstStart(spec),
            RepeatsEdge = !torchaudio,
            Window = Lanes.Pointer(tables.Window),
            Fft = tables.Fft.Tables,
            Twiddles = Lanes.Pointer(tables.Twiddles),
            MelRanges = Lanes.Pointer(tables.MelRanges),
            MelWeights = Lanes.Pointer(tables.MelWeights),
            Preemphasis = spec.Preemphasis,
            RemoveMean = spec.RemoveMean,
            UsePower = spec.UsePower,
            UseLog = spec.UseLog,
            LogFloor = spec.LogFloor,
            AddsFloor = torchaudio,
            Dither = ditherSeed is null ? 0f : spec.Dither / spec.Scale,
            DitherSeed = ditherSeed ?? 0,
            DitherEpoch = (uint)ditherEpoch,
        };
        device.Workers.For((body.TotalFrames + FramesPerItem - 1) / FramesPerItem, ref body);
        GC.KeepAlive(tables);
    }

    // Sixteen frames go through all steps side by side, one per vector lane; frames of all rows are numbered through.
    private struct Body : IParallelBody
    {
        public nint Workers;
        public float* Waves;
        public nint WaveStride;
        public int Samples;
        public float* Features;
        public int Frames, TotalFrames, Bins, FrameLength, FrameShift, FirstStart;
        public bool RepeatsEdge;
        public float* Window;
        public LaneFft.View Fft;
        public float* Twiddles;
        public int* MelRanges;
        public float* MelWeights;
        public float Preemphasis, LogFloor, Dither;
        public bool RemoveMean, UsePower, UseLog, AddsFloor;
        public ulong DitherSeed;
        public uint DitherEpoch;

        public void Run(int index, int worker)
        {
            int half = Fft.Length;
            int paddedBins = (Bins + Lanes.Count - 1) / Lanes.Count * Lanes.Count;
            int floats = Lanes.Count * ((2 * half) + half + 1 + (2 * paddedBins) + FrameLength);
            float* samples = (float*)WorkerPool.Of(Workers).Scratch(worker, (nuint)floats * sizeof(float));
            float* power = samples + (2 * half * Lanes.Count);
            float* mel = power + ((half + 1) * Lanes.Count);
            float* rows = mel + (paddedBins * Lanes.Count);
            float* edges = rows + (paddedBins * Lanes.Count);

            int last = Math.Min(TotalFrames, (index + 1) * FramesPerItem);
            for (int frame = index * FramesPerItem; frame < last; frame += Lanes.Count)
            {
                int valid = Math.Min(Lanes.Count, last - frame);
                Load(frame, valid, samples, edges);
                Condition(samples);
                Fft.Transform(samples, samples + Lanes.Count);
                PowerSpectrum(samples, power);
                Filter(power, mel);
                Store(frame, valid, mel, rows, paddedBins);
            }
        }

        // samples[i] = sample i of 16 frames. Frames that reach over an end are first put together in "edges".
        private readonly void Load(int frame, int valid, float* samples, float* edges)
        {
            float** from = stackalloc float*[Lanes.Count];
            uint* rowOf = stackalloc uint[2 * Lanes.Count];
            uint* frameOf = rowOf + Lanes.Count;
            for (int lane = 0; lane < Lanes.Count; lane++)
            {
                int number = frame + Math.Min(lane, valid - 1);
                int row = number / Frames;
                int start = FirstStart + ((number - (row * Frames)) * FrameShift);
                float* wave = Waves + (row * WaveStride);
                (rowOf[lane], frameOf[lane]) = ((uint)row, (uint)(number - (row * Frames)));
                if (start >= 0 && start + FrameLength <= Samples)
                {
                    from[lane] = wave + start;
                    continue;
                }

                float* edge = edges + (lane * FrameLength);
                for (int i = 0; i < FrameLength; i++)
                {
                    edge[i] = wave[Mirror(start + i)];
                }

                from[lane] = edge;
            }

            Lanes.Transpose(from, FrameLength, samples, Lanes.Count);
            if (Dither > 0)
            {
                FrameDither.Add(samples, FrameLength, Dither, DitherSeed, DitherEpoch, rowOf, frameOf);
            }

            new Span<float>(samples + (FrameLength * Lanes.Count), ((2 * Fft.Length) - FrameLength) * Lanes.Count).Clear();
        }

        private readonly int Mirror(int i)
        {
            int repeat = RepeatsEdge ? 1 : 0;
            while ((uint)i >= (uint)Samples)
            {
                i = i < 0 ? -i - repeat : (2 * (Samples - 1)) + repeat - i;
            }

            return i;
        }

        // Mean removal, pre-emphasis, window.
        private readonly void Condition(float* samples)
        {
            var mean = Vector512<float>.Zero;
            if (RemoveMean)
            {
                var even = Vector512<float>.Zero;
                var odd = Vector512<float>.Zero;
                int i = 0;
                for (; i + 2 <= FrameLength; i += 2)
                {
                    even += Vector512.Load(samples + (i * Lanes.Count));
                    odd += Vector512.Load(samples + ((i + 1) * Lanes.Count));
                }

                if (i < FrameLength)
                {
                    even += Vector512.Load(samples + (i * Lanes.Count));
                }

                mean = (even + odd) * (1f / FrameLength);
            }

            var minusCoefficient = Vector512.Create(-Preemphasis);
            var previous = Vector512.Load(samples) - mean;
            for (int i = 0; i < FrameLength; i++)
            {
                float* at = samples + (i * Lanes.Count);
                var current = Vector512.Load(at) - mean;
                (Vector512.FusedMultiplyAdd(previous, minusCoefficient, current) * Vector512.Create(Window[i])).Store(at);
                previous = current;
            }
        }

        // |X[k]|² or |X[k]| of the real frames from the transform Z of the packed ones (see RealFft for the identity).
        private readonly void PowerSpectrum(float* z, float* power)
        {
            int half = Fft.Length;
            var zeroR = Vector512.Load(z);
            var zeroI = Vector512.Load(z + Lanes.Count);
            var sum = zeroR + zeroI;
            var difference = zeroR - zeroI;
            StorePower(sum * sum, power);
            StorePower(difference * difference, power + (half * Lanes.Count));
            var quarter = Vector512.Create(0.25f);
            for (int k = 1; k <= half / 2; k++)
            {
                float* x = z + ((nint)Fft.Positions[k] * LaneFft.Stride);
                float* y = z + ((nint)Fft.Positions[half - k] * LaneFft.Stride);
                var xr = Vector512.Load(x);
                var xi = Vector512.Load(x + Lanes.Count);
                var yr = Vector512.Load(y);
                var yi = Vector512.Load(y + Lanes.Count);
                var evenR = xr + yr;
                var evenI = xi - yi;
                var ur = xr - yr;
                var ui = xi + yi;
                var cos = Vector512.Create(Twiddles[2 * k]);
                var sin = Vector512.Create(Twiddles[(2 * k) + 1]);
                var oddR = Vector512.FusedMultiplyAdd(ur, sin, ui * cos);
                var oddI = Vector512.FusedMultiplyAdd(ui, sin, -(ur * cos));
                var ar = evenR + oddR;
                var ai = evenI + oddI;
                var br = evenR - oddR;
                var bi = evenI - oddI;
                StorePower(quarter * Vector512.FusedMultiplyAdd(ar, ar, ai * ai), power + (k * Lanes.Count));
                StorePower(quarter * Vector512.FusedMultiplyAdd(br, br, bi * bi), power + ((half - k) * Lanes.Count));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void StorePower(Vector512<float> squared, float* to) =>
            (UsePower ? squared : Vector512.Sqrt(squared)).Store(to);

        private readonly void Filter(float* power, float* mel)
        {
            float* weight = MelWeights;
            var floor = Vector512.Create(LogFloor);
            for (int filter = 0; filter < Bins; filter++)
            {
                float* bin = power + (MelRanges[2 * filter] * Lanes.Count);
                int count = MelRanges[(2 * filter) + 1];
                var energy = Vector512<float>.Zero;
                for (int i = 0; i < count; i++)
                {
                    energy = Vector512.FusedMultiplyAdd(Vector512.Load(bin + (i * Lanes.Count)), Vector512.Create(weight[i]), energy);
                }

                weight += count;
                if (UseLog)
                {
                    energy = Vector512.Log(AddsFloor ? energy + floor : Vector512.Max(energy, floor));
                }

                energy.Store(mel + (filter * Lanes.Count));
            }
        }

        private readonly void Store(int frame, int valid, float* mel, float* rows, int paddedBins)
        {
            float** from = stackalloc float*[Lanes.Count];
            float* to = Features + ((nint)frame * Bins);
            bool direct = valid == Lanes.Count && Bins == paddedBins;
            for (int filter = 0; filter < paddedBins; filter += Lanes.Count)
            {
                for (int i = 0; i < Lanes.Count; i++)
                {
                    from[i] = mel + ((filter + i) * Lanes.Count);
                }

                Lanes.Transpose(from, Lanes.Count, (direct ? to : rows) + filter, paddedBins);
            }

            for (int i = 0; i < valid && !direct; i++)
            {
                new ReadOnlySpan<float>(rows + (i * paddedBins), Bins).CopyTo(new Span<float>(to + ((nint)i * Bins), Bins));
            }
        }
    }
}
