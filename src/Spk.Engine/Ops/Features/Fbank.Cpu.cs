using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Features;

public static unsafe partial class Fbank
{
    // Frames of one parallel item: four groups of 16, or eight of 8.
    private const int FramesPerItem = 64;

    private const int FloatsPerLine = 16;

    private static void CpuForward(CpuDevice device, FeatureTables tables, Tensor waves, Tensor features, ulong? ditherSeed, long ditherEpoch)
    {
        if (Lanes.Sixteen)
        {
            CpuForward<SixteenLanes, SixteenWords>(device, tables, waves, features, ditherSeed, ditherEpoch);
        }
        else
        {
            CpuForward<EightLanes, EightWords>(device, tables, waves, features, ditherSeed, ditherEpoch);
        }
    }

    internal static void CpuForward<TLanes, TWords>(
        CpuDevice device, FeatureTables tables, Tensor waves, Tensor features, ulong? ditherSeed, long ditherEpoch)
        where TLanes : unmanaged, ILanes<TLanes>
        where TWords : unmanaged, ILaneWords<TWords, TLanes>
    {
        var spec = tables.Spec;
        int frames = features.Shape[1];
        bool torchaudio = spec.Flavor == FeatureFlavor.Torchaudio;
        var body = new Body<TLanes, TWords>
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

    // Frames go through all steps side by side, one per vector lane; frames of all rows are numbered through.
    private struct Body<TLanes, TWords> : IParallelBody
        where TLanes : unmanaged, ILanes<TLanes>
        where TWords : unmanaged, ILaneWords<TWords, TLanes>
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

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int half = Fft.Length;
            int paddedBins = (Bins + TLanes.Count - 1) / TLanes.Count * TLanes.Count;
            int floats = TLanes.Count * ((2 * half) + half + 1 + (2 * paddedBins) + FrameLength);
            float* samples = (float*)WorkerPool.Of(Workers).Scratch(worker, (nuint)floats * sizeof(float));
            float* power = samples + (2 * half * TLanes.Count);
            float* mel = power + ((half + 1) * TLanes.Count);
            float* rows = mel + (paddedBins * TLanes.Count);
            float* edges = rows + (paddedBins * TLanes.Count);

            int last = Math.Min(TotalFrames, (index + 1) * FramesPerItem);
            for (int frame = index * FramesPerItem; frame < last; frame += TLanes.Count)
            {
                int valid = Math.Min(TLanes.Count, last - frame);
                Load(frame, valid, samples, edges);
                Prefetch(frame);
                Condition(samples);
                Fft.Transform<TLanes>(samples, samples + TLanes.Count);
                PowerSpectrum(samples, power);
                Filter(power, mel);
                Store(frame, valid, mel, rows, paddedBins);
            }
        }

        // samples[i] = sample i of all lanes' frames. Frames that reach over an end are first put together in "edges".
        private readonly void Load(int frame, int valid, float* samples, float* edges)
        {
            float** from = stackalloc float*[TLanes.Count];
            uint* rowOf = stackalloc uint[2 * TLanes.Count];
            uint* frameOf = rowOf + TLanes.Count;
            for (int lane = 0; lane < TLanes.Count; lane++)
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

            TLanes.Transpose(from, FrameLength, samples, TLanes.Count);
            if (Dither > 0)
            {
                FrameDither.Add<TLanes, TWords>(samples, FrameLength, Dither, DitherSeed, DitherEpoch, rowOf, frameOf);
            }

            new Span<float>(samples + (FrameLength * TLanes.Count), ((2 * Fft.Length) - FrameLength) * TLanes.Count).Clear();
        }

        // What the next lanes' frames have beyond these ones' comes to the second-level cache while these are worked on. Reading begins in as many
        // places at once as there are lanes, too many for the processor to foresee. With 512 bits the gain is not known.
        private readonly void Prefetch(int frame)
        {
            if (TLanes.Count != EightLanes.Count || !Sse.IsSupported)
            {
                return;
            }

            int row = frame / Frames;
            int start = FirstStart + ((frame - (row * Frames) + TLanes.Count) * FrameShift) + FrameLength - FrameShift;
            float* next = Waves + (row * WaveStride) + start;
            float* end = next + (TLanes.Count * FrameShift);
            for (; next < end; next += FloatsPerLine)
            {
                Sse.Prefetch1(next);
            }
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
            var mean = TLanes.Create(0f);
            if (RemoveMean)
            {
                var even = TLanes.Create(0f);
                var odd = TLanes.Create(0f);
                int i = 0;
                for (; i + 2 <= FrameLength; i += 2)
                {
                    even += TLanes.Load(samples + (i * TLanes.Count));
                    odd += TLanes.Load(samples + ((i + 1) * TLanes.Count));
                }

                if (i < FrameLength)
                {
                    even += TLanes.Load(samples + (i * TLanes.Count));
                }

                mean = (even + odd) * TLanes.Create(1f / FrameLength);
            }

            var minusCoefficient = TLanes.Create(-Preemphasis);
            var previous = TLanes.Load(samples) - mean;
            float* weight = Window;
            float* end = samples + (FrameLength * TLanes.Count);
            for (float* at = samples; at < end; at += TLanes.Count, weight++)
            {
                var current = TLanes.Load(at) - mean;
                (TLanes.FusedMultiplyAdd(previous, minusCoefficient, current) * TLanes.Create(*weight)).Store(at);
                previous = current;
            }
        }

        // |X[k]|² or |X[k]| of the real frames from the transform Z of the packed ones (see RealFft for the identity).
        private readonly void PowerSpectrum(float* z, float* power)
        {
            int half = Fft.Length;
            var zeroR = TLanes.Load(z);
            var zeroI = TLanes.Load(z + TLanes.Count);
            var sum = zeroR + zeroI;
            var difference = zeroR - zeroI;
            StorePower(sum * sum, power);
            StorePower(difference * difference, power + (half * TLanes.Count));
            var quarter = TLanes.Create(0.25f);
            for (int k = 1; k <= half / 2; k++)
            {
                float* x = z + ((nint)Fft.Positions[k] * LaneFft.Stride<TLanes>());
                float* y = z + ((nint)Fft.Positions[half - k] * LaneFft.Stride<TLanes>());
                var xr = TLanes.Load(x);
                var xi = TLanes.Load(x + TLanes.Count);
                var yr = TLanes.Load(y);
                var yi = TLanes.Load(y + TLanes.Count);
                var evenR = xr + yr;
                var evenI = xi - yi;
                var ur = xr - yr;
                var ui = xi + yi;
                var cos = TLanes.Create(Twiddles[2 * k]);
                var sin = TLanes.Create(Twiddles[(2 * k) + 1]);
                var oddR = TLanes.FusedMultiplyAdd(ur, sin, ui * cos);
                var oddI = TLanes.FusedMultiplyAdd(ui, sin, -(ur * cos));
                var ar = evenR + oddR;
                var ai = evenI + oddI;
                var br = evenR - oddR;
                var bi = evenI - oddI;
                StorePower(quarter * TLanes.FusedMultiplyAdd(ar, ar, ai * ai), power + (k * TLanes.Count));
                StorePower(quarter * TLanes.FusedMultiplyAdd(br, br, bi * bi), power + ((half - k) * TLanes.Count));
            }
        }

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        private readonly void StorePower(TLanes squared, float* to) =>
            (UsePower ? squared : TLanes.Sqrt(squared)).Store(to);

        private readonly void Filter(float* power, float* mel)
        {
            float* weight = MelWeights;
            var floor = TLanes.Create(LogFloor);
            for (int filter = 0; filter < Bins; filter++)
            {
                float* bin = power + (MelRanges[2 * filter] * TLanes.Count);
                int count = MelRanges[(2 * filter) + 1];
                var energy = TLanes.Create(0f);
                for (int i = 0; i < count; i++)
                {
                    energy = TLanes.FusedMultiplyAdd(TLanes.Load(bin + (i * TLanes.Count)), TLanes.Create(weight[i]), energy);
                }

                weight += count;
                if (UseLog)
                {
                    energy = TLanes.Log(AddsFloor ? energy + floor : TLanes.Max(energy, floor));
                }

                energy.Store(mel + (filter * TLanes.Count));
            }
        }

        private readonly void Store(int frame, int valid, float* mel, float* rows, int paddedBins)
        {
            float** from = stackalloc float*[TLanes.Count];
            float* to = Features + ((nint)frame * Bins);
            bool direct = valid == TLanes.Count && Bins == paddedBins;
            for (int filter = 0; filter < paddedBins; filter += TLanes.Count)
            {
                for (int i = 0; i < TLanes.Count; i++)
                {
                    from[i] = mel + ((filter + i) * TLanes.Count);
                }

                TLanes.Transpose(from, TLanes.Count, (direct ? to : rows) + filter, paddedBins);
            }

            for (int i = 0; i < valid && !direct; i++)
            {
                new ReadOnlySpan<float>(rows + (i * paddedBins), Bins).CopyTo(new Span<float>(to + ((nint)i * Bins), Bins));
            }
        }
    }
}
