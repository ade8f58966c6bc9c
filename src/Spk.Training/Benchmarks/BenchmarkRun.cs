using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime;
using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Training.Benchmarks;

/// <summary>Times the cases of <see cref="BenchmarkCatalog"/> one after the other on the calling thread.</summary>
public static class BenchmarkRun
{
    // A call shorter than this is repeated between two looks at the clock of a GPU, as a training loop would issue it.
    private const double LeastSeconds = 2e-3;
    private const int MostInner = 50, FewestCalls = 7, FewestLongCalls = 3, WarmUpCalls = 5;

    // After so many budgets, and a second at least, fewer calls are enough: of twenty iterations of a large k-means for instance.
    private const double Patience = 10, LeastPatience = 1;
    private const double LongestWarmUp = 2;

    // The runtime compiles anew what was called some thirty times, in the background, a tenth of a second after it last met something new. Where it
    // has compiled nothing for so long, and for as many calls, it is done. For longer calls the time alone counts: methods that run a few times in each cost
    // little, and loops are compiled anew while they run.
    private const double SettledSeconds = 0.3, SettledCallSeconds = 10e-3;
    private const int SettledCalls = 40;

    // What moves so much a call, far more than caches hold, and computes so little with it is bound by memory; operations a byte.
    private const double LeastMemoryBytes = 1 << 27, MemoryIntensity = 4;

    // Processor time of less is counted too coarsely, by ticks of some milliseconds on threads that run: shorter calls are taken together.
    private const double LeastProcessorSeconds = 40e-3;

    // What the runtime has compiled, it has for the whole process.
    private static readonly ConcurrentDictionary<string, bool> Settled = new(StringComparer.Ordinal);

    /// <summary>Times everything asked for.</summary>
    /// <param name="options">What, where, how long.</param>
    /// <param name="ceilings">What the device can do at most; null where unknown.</param>
    /// <param name="report">Hears each result as it comes.</param>
    /// <param name="failed">Hears of cases that the device cannot run, or that do not exist: name and reason.</param>
    /// <param name="cancellation">Ends it between two calls.</param>
    /// <returns>The results.</returns>
    /// <exception cref="InvalidOptionException">The options are invalid, no case has such a name, or all that have need a GPU.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static IReadOnlyList<BenchmarkResult> Measure(
        BenchmarkOptions options, MachineCeilings? ceilings = null, Action<BenchmarkResult>? report = null, Action<string, string>? failed = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        var results = new List<BenchmarkResult>();
        bool anyFailed = false, anyNeedsGpu = false;

        // Held for the whole run: making a GPU's context anew for every group takes longer than most groups.
        using var keptOpen = Device.Open(options.Device, options.Threads);
        using var yardstick = keptOpen is CpuDevice cpu ? new Yardstick(cpu.Threads) : null;
        foreach (var group in BenchmarkCatalog.GroupsOf(options.Cases))
        {
            if (group.NeedsGpu && keptOpen is CpuDevice)
            {
                anyNeedsGpu = true;
                continue;
            }

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
                    MeasureGroup(group, device, yardstick, options, ceilings, results, report, cancellation);
                }
                catch (SpkException e)
                {
                    anyFailed = true;
                    failed?.Invoke(group.Prefix, e.Message);
                }
            }
        }

        if (results.Count > 0 || anyFailed)
        {
            foreach (string prefix in options.Cases.Where(prefix => !anyFailed && !results.Any(r => r.Key.StartsWith(prefix, StringComparison.Ordinal))))
            {
                failed?.Invoke(prefix, "this device has no case that starts with this; `spk bench NAME` shows the sizes of NAME.");
            }

            return results;
        }

        string asked = string.Join(" or ", options.Cases.Select(c => $"'{c}'"));
        throw new InvalidOptionException(
            anyNeedsGpu ? $"Benchmarks whose names start with {asked} need a GPU: use --device cuda." : $"No benchmark starts with {asked}: `spk bench --list` shows the names, a run the sizes.");
    }

    private static void MeasureGroup(
        BenchmarkGroup group, Device device, Yardstick? yardstick, BenchmarkOptions options, MachineCeilings? ceilings, List<BenchmarkResult> results, Action<BenchmarkResult>? report, CancellationToken cancellation)
    {
        var cases = group.Make(device);
        try
        {
            var flush = options.Cold ? new CacheFlush(device) : null;
            foreach (var one in cases)
            {
                if (IsWanted(one, device, options))
                {
                    var result = MeasureCase(one, device, yardstick, options, flush, cancellation).WithBound(ceilings);
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

    private static bool IsWanted(BenchmarkCase one, Device device, BenchmarkOptions options) =>
        options.Cases.Count == 0 || options.Cases.Any(prefix => KeyOf(one, device, options).StartsWith(prefix, StringComparison.Ordinal));

    private static string KeyOf(BenchmarkCase one, Device device, BenchmarkOptions options) => BenchmarkResult.KeyOf(one.Name, one.Sizes, device.Precision, options.Cold);

    internal static BenchmarkResult MeasureCase(
        BenchmarkCase one, Device device, Yardstick? yardstick, BenchmarkOptions options, CacheFlush? flush, CancellationToken cancellation)
    {
        var clock = Stopwatch.StartNew();
        double patience = Math.Max(LeastPatience, Patience * options.Budget);
        double once = WarmUp(one, device, options, patience, clock, cancellation);

        int inner = device is CpuDevice || flush is not null ? 1 : (int)Math.Clamp(LeastSeconds / Math.Max(1e-9, once), 1, MostInner);
        var times = new List<double>();
        var processor = new List<double>();
        double held = 0;
        int heldCalls = 0;
        long allocated = 0;
        clock.Restart();
        yardstick?.Restart(ofMemory: one.Bytes >= LeastMemoryBytes && one.Operations < MemoryIntensity * one.Bytes);
        while (times.Count < (clock.Elapsed.TotalSeconds < patience ? FewestCalls : FewestLongCalls) || clock.Elapsed.TotalSeconds < options.Budget)
        {
            cancellation.ThrowIfCancellationRequested();

            yardstick?.MeasureIfDue(clock.Elapsed.TotalSeconds);
            flush?.Run();
            long before = GC.GetAllocatedBytesForCurrentThread();
            var time = Time(one, device, inner);
            allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            times.Add(time.Wall / inner);
            (held, heldCalls) = (held + time.Processor, heldCalls + inner);
            if (held >= LeastProcessorSeconds)
            {
                processor.Add(held / heldCalls);
                (held, heldCalls) = (0, 0);
            }
        }

        var pace = yardstick?.Pace(clock.Elapsed.TotalSeconds);
        int calls = times.Count;
        if (processor.Count == 0 && heldCalls > 0)
        {
            processor.Add(held / heldCalls);
        }

        times.Sort();
        processor.Sort();
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
            Least = times[0],
            Processor = yardstick is null || processor.Count == 0 ? 0 : processor[processor.Count / 4],
            Pace = pace,
        };
    }

    // The duration of the last call. The first time in a process it goes on until the runtime compiles nothing more.
    private static double WarmUp(BenchmarkCase one, Device device, BenchmarkOptions options, double patience, Stopwatch clock, CancellationToken cancellation)
    {
        bool isSettled = !Settled.TryAdd(KeyOf(one, device, options), true);
        double once = 0, lastCompiled = 0, least = Math.Min(LongestWarmUp, options.Budget);
        long compiled = 0;
        for (int i = 0, since = 0; i < 1 || (i < WarmUpCalls && clock.Elapsed.TotalSeconds < patience) || clock.Elapsed.TotalSeconds < least || !isSettled; i++, since++)
        {
            cancellation.ThrowIfCancellationRequested();
            once = Time(one, device, 1).Wall;
            double now = clock.Elapsed.TotalSeconds;
            if (JitInfo.GetCompiledMethodCount() is var count && count != compiled)
            {
                (compiled, lastCompiled, since) = (count, now, 0);
            }

            isSettled |= now > LongestWarmUp || (now - lastCompiled > SettledSeconds && (since > SettledCalls || once > SettledCallSeconds));
        }

        return once;
    }

    private static CallTime Time(BenchmarkCase one, Device device, int inner)
    {
        var start = CallTime.Now();
        for (int i = 0; i < inner; i++)
        {
            one.Run();
        }

        device.Synchronize();
        return CallTime.Since(start);
    }
}
