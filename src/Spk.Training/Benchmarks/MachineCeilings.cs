using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Training.Benchmarks;

/// <summary>What a device can move and compute at most, so that a time becomes a share of the possible.</summary>
/// <param name="BytesPerSecond">Bytes that long copies read and write per second.</param>
/// <param name="Fp32">Operations per second of f32 multiply-adds, two for each.</param>
/// <param name="Tf32">Tensor cores on tf32; 0 where there are none.</param>
/// <param name="Bf16">Tensor cores on bf16; 0 where there are none.</param>
/// <param name="Source">Where the figures come from, for the reader.</param>
public sealed record MachineCeilings(double BytesPerSecond, double Fp32, double Tf32, double Bf16, string Source)
{
    // Rounds of tens of milliseconds: threads do not start at the same instant, and what a round lasts counts from the first start to the last end.
    private const int CopyFloats = 1 << 24, Copies = 4, Rounds = 6, Chains = 12, Sweeps = 16_000_000;

    /// <summary>Measures a CPU, in about two seconds; knows some GPUs; null for others.</summary>
    /// <param name="device">The device.</param>
    public static MachineCeilings? Of(Device device)
    {
        ArgumentNullException.ThrowIfNull(device);
        return device switch
        {
            CpuDevice cpu => new(BestCopy(cpu.Threads), BestMultiplyAdd(cpu.Threads), 0, 0, "measured: a long copy, and multiply-adds on registers"),

            // What long copies and large products reach there, not the data sheet.
            _ when device.Name.Contains("H200", StringComparison.Ordinal) => new(4.3e12, 67e12, 395e12, 790e12, "known for the H200"),
            _ when device.Name.Contains("H100", StringComparison.Ordinal) => new(2.9e12, 67e12, 395e12, 790e12, "known for the H100"),
            _ => null,
        };
    }

    /// <summary>The figures in words.</summary>
    public override string ToString()
    {
        string cores = Bf16 > 0 ? string.Create(CultureInfo.InvariantCulture, $", {1e-9 * Tf32:F0} in tf32, {1e-9 * Bf16:F0} in bf16") : "";
        return string.Create(CultureInfo.InvariantCulture, $"{1e-9 * BytesPerSecond:F1} GB/s, {1e-9 * Fp32:F0} GFLOP/s in fp32{cores} ({Source})");
    }

    /// <summary>The least time in seconds; 0 where nothing was counted.</summary>
    /// <param name="bytes">Bytes to move.</param>
    /// <param name="operations">Operations to do.</param>
    /// <param name="precision">Arithmetic of the operations.</param>
    public double Bound(double bytes, double operations, Precision precision)
    {
        double rate = precision switch { Precision.Tf32 => Tf32, Precision.Bf16 => Bf16, _ => Fp32 };
        return Math.Max(bytes / BytesPerSecond, operations / (rate > 0 ? rate : Fp32));
    }

    private static double BestCopy(int threads)
    {
        float[][] from = [.. Enumerable.Range(0, threads).Select(_ => new float[CopyFloats])];
        float[][] to = [.. Enumerable.Range(0, threads).Select(_ => new float[CopyFloats])];
        return threads * 8.0 * CopyFloats * Copies / BestTime(threads, t =>
        {
            for (int copy = 0; copy < Copies; copy++)
            {
                from[t].CopyTo(to[t], 0);
            }
        });
    }

    private static double BestMultiplyAdd(int threads)
    {
        float[] sums = new float[threads];
        double operations = 2.0 * (Vector512.IsHardwareAccelerated ? Vector512<float>.Count : Vector256<float>.Count) * Chains * Sweeps;
        return threads * operations / BestTime(threads, t => sums[t] = MultiplyAdds(1 + (t * 1e-7f), Sweeps));
    }

    // Threads start together; a round lasts from the first start to the last end, by the threads' own clocks: whoever waits for them may be late.
    private static double BestTime(int threads, Action<int> work)
    {
        double best = double.PositiveInfinity;
        var (starts, ends) = (new long[threads], new long[threads]);
        for (int round = 0; round < Rounds; round++)
        {
            using var start = new Barrier(threads);
            Thread[] workers = [.. Enumerable.Range(0, threads).Select(t => new Thread(() =>
            {
                start.SignalAndWait();
                starts[t] = Stopwatch.GetTimestamp();
                work(t);
                ends[t] = Stopwatch.GetTimestamp();
            }))];
            Array.ForEach(workers, worker => worker.Start());
            Array.ForEach(workers, worker => worker.Join());
            best = Math.Min(best, Stopwatch.GetElapsedTime(starts.Min(), ends.Max()).TotalSeconds);
        }

        return best;
    }

    // More chains than the latency of a multiply-add times the units that do them (8 on most processors), and no more than there are registers for.
    // Values stay near 1.
    internal static float MultiplyAdds(float value, int sweeps) => Vector512.IsHardwareAccelerated ? MultiplyAdds512(value, sweeps) : MultiplyAdds256(value, sweeps);

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MultiplyAdds512(float value, int sweeps)
    {
        Vector512<float> a = Vector512.Create(0.5f), b = Vector512.Create(value * 0.5f);
        Vector512<float> s0 = b, s1 = b, s2 = b, s3 = b, s4 = b, s5 = b, s6 = b, s7 = b;
        Vector512<float> s8 = b, s9 = b, s10 = b, s11 = b;
        for (int i = 0; i < sweeps; i++)
        {
            s0 = Vector512.FusedMultiplyAdd(s0, a, b);
            s1 = Vector512.FusedMultiplyAdd(s1, a, b);
            s2 = Vector512.FusedMultiplyAdd(s2, a, b);
            s3 = Vector512.FusedMultiplyAdd(s3, a, b);
            s4 = Vector512.FusedMultiplyAdd(s4, a, b);
            s5 = Vector512.FusedMultiplyAdd(s5, a, b);
            s6 = Vector512.FusedMultiplyAdd(s6, a, b);
            s7 = Vector512.FusedMultiplyAdd(s7, a, b);
            s8 = Vector512.FusedMultiplyAdd(s8, a, b);
            s9 = Vector512.FusedMultiplyAdd(s9, a, b);
            s10 = Vector512.FusedMultiplyAdd(s10, a, b);
            s11 = Vector512.FusedMultiplyAdd(s11, a, b);
        }

        return Vector512.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static float MultiplyAdds256(float value, int sweeps)
    {
        Vector256<float> a = Vector256.Create(0.5f), b = Vector256.Create(value * 0.5f);
        Vector256<float> s0 = b, s1 = b, s2 = b, s3 = b, s4 = b, s5 = b, s6 = b, s7 = b;
        Vector256<float> s8 = b, s9 = b, s10 = b, s11 = b;
        for (int i = 0; i < sweeps; i++)
        {
            s0 = Vector256.FusedMultiplyAdd(s0, a, b);
            s1 = Vector256.FusedMultiplyAdd(s1, a, b);
            s2 = Vector256.FusedMultiplyAdd(s2, a, b);
            s3 = Vector256.FusedMultiplyAdd(s3, a, b);
            s4 = Vector256.FusedMultiplyAdd(s4, a, b);
            s5 = Vector256.FusedMultiplyAdd(s5, a, b);
            s6 = Vector256.FusedMultiplyAdd(s6, a, b);
            s7 = Vector256.FusedMultiplyAdd(s7, a, b);
            s8 = Vector256.FusedMultiplyAdd(s8, a, b);
            s9 = Vector256.FusedMultiplyAdd(s9, a, b);
            s10 = Vector256.FusedMultiplyAdd(s10, a, b);
            s11 = Vector256.FusedMultiplyAdd(s11, a, b);
        }

        return Vector256.Sum(s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + s10 + s11);
    }
}
