using System.Diagnostics;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Training.Benchmarks;

/// <summary>Times the cases of <see cref="BenchmarkCatalog"/> one after the other on the calling thread.</summary>
public static class BenchmarkRun
{
    // A call shorter than this is repeated between two looks at the clock of a GPU, as a training loop would issue it.
    private const double LeastSeconds = 2e-3;
    private const int MostInner = 50, FewestCalls = 7, WarmUpCalls = 5;
    private const double LongestWarmUp = 2;

    /// <summary>Times everything asked for.</summary>
    /// <param name="options">What, where, how long.</param>
    /// <param name="ceilings">What the device can do at most; null where unknown.</param>
    /// <param name="report">Hears each result as it comes.</param>
    /// <param name="failed">Hears of cases that the device cannot run: name and reason.</param>
    /// <param name="cancellation">Ends it between two calls.</param>
    /// <returns>The results.</returns>
    /// <exception cref="InvalidOptionException">The options are invalid, or no case has such a name.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IReadOnlyList<BenchmarkResult> Measure(
        BenchmarkOptions options, MachineCeilings? ceilings = null, Action<BenchmarkResult>? report = null, Action<string, string>? failed = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var results = new List<BenchmarkResult>();
        bool anyFailed = false;

        // Held for the whole run: making a GPU's context anew for every group takes longer than most groups.
        using var keptOpen = Device.Open(options.Device, options.Threads);
        foreach (var group in BenchmarkCatalog.Groups.Where(g => g.MayHold(options.Cases)))
        {
            foreach (var precision in options.Precisions)
            {
                // Arithmetic that does not depend on the precision is timed once.
                if (precision != options.Precisions[0] && !group.HasProducts)
                {
                    continue;
                }

                using var device = Device.Open(options.Device, options.Threads);
                try
                {
                    device.Precision = precision;
                    MeasureGroup(group, device, options, ceilings, results, report, cancellation);
                }
                catch (SpkException e)
                {
                    anyFailed = true;
                    failed?.Invoke(group.Prefix, e.Message);
                }
            }
        }

        return results.Count > 0 || anyFailed ? results : throw new InvalidOptionException($"No benchmark's name starts with {string.Join(" or ", options.Cases.Select(c => $"'{c}'"))}: `spk bench --list` shows them.");
    }

    private static void MeasureGroup(
        BenchmarkGroup group, Device device, BenchmarkOptions options, MachineCeilings? ceilings, List<BenchmarkResult> results, Action<BenchmarkResult>? report, CancellationToken cancellation)
    {
        var cases = group.Make(device);
        try
        {
            var flush = options.Cold ? new CacheFlush(device) : null;
            foreach (var one in cases)
            {
                if (options.Cases.Count == 0 || options.Cases.Any(prefix => one.Name.StartsWith(prefix, StringComparison.Ordinal)))
                {
                    var result = MeasureCase(one, device, options, ceilings, flush, cancellation);
                    results.Add(result);
                    report?.Invoke(result);
                }
            }
        }
        finally
        {
            foreach (var one in cases)
            {
                one.Owned?.Dispose();
            }
        }
    }

    private static BenchmarkResult MeasureCase(
        BenchmarkCase one, Device device, BenchmarkOptions options, MachineCeilings? ceilings, CacheFlush? flush, CancellationToken cancellation)
    {
        // Enough warm-up for the runtime's optimised code to be in place.
        var clock = Stopwatch.StartNew();
        double once = 0;
        for (int i = 0; i < WarmUpCalls || clock.Elapsed.TotalSeconds < Math.Min(LongestWarmUp, options.Budget); i++)
        {
            cancellation.ThrowIfCancellationRequested();
            once = Time(one, device, 1);
        }

        int inner = device is CpuDevice || flush is not null ? 1 : (int)Math.Clamp(LeastSeconds / Math.Max(1e-9, once), 1, MostInner);
        var times = new List<double>();
        long allocated = 0;
        clock.Restart();
        while (times.Count < FewestCalls || clock.Elapsed.TotalSeconds < options.Budget)
        {
            cancellation.ThrowIfCancellationRequested();
            flush?.Run();
            long before = GC.GetAllocatedBytesForCurrentThread();
            double time = Time(one, device, inner) / inner;
            allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            times.Add(time);
        }

        int calls = times.Count;
        times.Sort();
        double median = times[calls / 2];
        return new BenchmarkResult
        {
            Name = one.Name,
            Sizes = one.Sizes,
            Precision = device.Precision,
            Cold = flush is not null,
            Median = median,
            Fast = times[calls / 10],
            Slow = times[calls - 1 - (calls / 10)],
            Calls = calls * inner,
            Unit = one.Unit,
            Work = one.Work,
            AllocatedBytes = (double)allocated / calls / inner,
            Bytes = one.Bytes,
            Operations = one.Operations,
            ShareOfBound = ceilings?.Bound(one.Bytes, one.Operations, device.Precision) is > 0 and { } bound ? bound / median : null,
        };
    }

    private static double Time(BenchmarkCase one, Device device, int inner)
    {
        long start = Stopwatch.GetTimestamp();
        for (int i = 0; i < inner; i++)
        {
            one.Run();
        }

        device.Synchronize();
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Writes more memory than any cache holds, so that what a case reads comes from memory.</summary>
    private sealed class CacheFlush(Device device)
    {
        private const int Floats = 1 << 26;
        private readonly Tensor _other = device.AllocatePersistent(new Shape(Floats));
        private float _value;

        public void Run()
        {
            device.Fill(_other, ++_value);
            device.Synchronize();
        }
    }
}
