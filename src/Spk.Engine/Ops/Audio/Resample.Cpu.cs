using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Audio;

public static unsafe partial class Resample
{
    private const int OutputsPerItem = 8192;

    private static readonly KaiserSinc Kernel = new(crossings: 64, beta: 10);
    private static readonly ConcurrentDictionary<(int From, int To), PhaseTables> Known = new();

    private static PhaseTables Tables(int fromRate, int toRate)
    {
        CheckRates(fromRate, toRate);
        int common = fromRate;
        for (int rest = toRate; rest != 0;)
        {
            (common, rest) = (rest, common % rest);
        }

        return Known.GetOrAdd((fromRate / common, toRate / common), static rates => new PhaseTables(rates.From, rates.To));
    }

    private static void CpuForward(CpuDevice device, PhaseTables tables, Tensor waves, Tensor y)
    {
        var body = new Body
        {
            Phases = tables.View,
            Waves = waves.Data,
            WaveStride = waves.RowStride,
            Samples = waves.Shape[1],
            Y = y.Data,
            Outputs = y.Shape[1],
            ItemsPerRow = (y.Shape[1] + OutputsPerItem - 1) / OutputsPerItem,
        };
        device.Workers.For(waves.Shape[0] * body.ItemsPerRow, ref body);
        GC.KeepAlive(tables);
    }

    private static void Filter(PhaseView phases, float* x, int samples, float* y, int first, int end)
    {
        float* edge = stackalloc float[Lanes.Count];
        // Position i · from / to as a whole input and a phase, advanced without a division for each output.
        long whole = (long)first * phases.From / phases.To;
        int phase = (int)(((long)first * phases.From) - (whole * phases.To));
        int wholeStep = phases.From / phases.To, phaseStep = phases.From - (wholeStep * phases.To);
        for (int i = first; i < end; i++)
        {
            float* weights = phases.Weights + ((nint)phase * phases.Taps);
            long start = whole - phases.Half + 1;
            var sum = Vector512<float>.Zero;
            bool inside = start >= 0 && start + phases.Taps <= samples;
            for (int t = 0; t < phases.Taps; t += Lanes.Count)
            {
                float* from = x + start + t;
                if (!inside)
                {
                    for (int lane = 0; lane < Lanes.Count; lane++)
                    {
                        long at = start + t + lane;
                        edge[lane] = at >= 0 && at < samples ? x[at] : 0f;
                    }

                    from = edge;
                }

                sum = Vector512.FusedMultiplyAdd(Vector512.Load(from), Vector512.Load(weights + t), sum);
            }

            y[i] = Vector512.Sum(sum);
            whole += wholeStep;
            phase += phaseStep;
            if (phase >= phases.To)
            {
                phase -= phases.To;
                whole++;
            }
        }
    }

    private readonly struct PhaseView(int from, int to, int half, int taps, float* weights)
    {
        public readonly int From = from, To = to, Half = half, Taps = taps;
        public readonly float* Weights = weights;
    }

    // One row of weights for each of the "to" places that an output can have between two inputs.
    private sealed class PhaseTables
    {
        private readonly float[] _weights;

        public PhaseTables(int from, int to)
        {
            double cutoff = Kernel.Cutoff((double)from / to);
            Half = Kernel.HalfWidth(cutoff);
            Taps = ((2 * Half) + Lanes.Count - 1) / Lanes.Count * Lanes.Count;
            From = from;
            To = to;
            _weights = Lanes.Table(checked(to * Taps));
            for (int phase = 0; phase < to; phase++)
            {
                Kernel.Fill((double)phase / to, cutoff, _weights.AsSpan(phase * Taps, Taps));
            }
        }

        public int From { get; }

        public int To { get; }

        public int Half { get; }

        public int Taps { get; }

        public ReadOnlySpan<float> Weights => _weights.AsSpan(0, To * Taps);

        public PhaseView View => new(From, To, Half, Taps, Lanes.Pointer(_weights));
    }

    private struct Body : IParallelBody
    {
        public PhaseView Phases;
        public float* Waves, Y;
        public nint WaveStride;
        public int Samples, Outputs, ItemsPerRow;

        [MethodImpl(HotLoop.Options)]
        public void Run(int index, int worker)
        {
            int row = index / ItemsPerRow;
            int first = (index - (row * ItemsPerRow)) * OutputsPerItem;
            Filter(Phases, Waves + (row * WaveStride), Samples, Y + ((nint)row * Outputs), first, Math.Min(Outputs, first + OutputsPerItem));
        }
    }
}
