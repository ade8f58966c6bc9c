namespace Spk.Training.Benchmarks;

/// <summary>
/// The fastest times of several measurements of one case, made at different times: what is left when neighbours on the machine, who slow single
/// measurements by a fifth or by half for as long as one takes, leave it alone. Of a baseline that is not the fastest, which may have been luck, but
/// what was reached <see cref="BenchmarkBaseline.Sightings"/> times.
/// </summary>
internal readonly struct FastestTimes
{
    // Measurements so much slower than the fastest have seen the same.
    private const double Near = 0.03;

    // A scheduler lets a thread run for so long: a call that takes less is now and then left alone.
    private const double ShortSeconds = 3e-3;

    private FastestTimes(double least, double processor, MachinePace pace) => (Least, Processor, Pace) = (least, processor, pace);

    /// <summary>Seconds of the fastest call by the clock.</summary>
    public double Least { get; }

    /// <summary>Least seconds of all processors together for a call.</summary>
    public double Processor { get; }

    /// <summary>The machine's fastest pace.</summary>
    public MachinePace Pace { get; }

    /// <summary>Compares what was measured now with what was then.</summary>
    public static ComparedTimes Compare(IReadOnlyCollection<BenchmarkResult> then, IReadOnlyCollection<BenchmarkResult> now)
    {
        if (!then.All(IsCounted) || !now.All(IsCounted))
        {
            return new ComparedTimes(Reached(then, Time, BenchmarkBaseline.Sightings), now.Min(Time), Pace: 1, ByClock: true);
        }

        // Where some were made on an idle machine both times, others do not count: processor time would hide what only the clock shows.
        if (then.Any(IsIdle) && now.Any(IsIdle))
        {
            var (before, after) = (Of([.. then.Where(IsIdle)], BenchmarkBaseline.Sightings), Of([.. now.Where(IsIdle)], 1));
            return new ComparedTimes(before.Least, after.Least, after.Pace.Clock / before.Pace.Clock, ByClock: true);
        }

        var (earlier, later) = (Of(then, BenchmarkBaseline.Sightings), Of(now, 1));
        double pace = later.Pace.Processor / earlier.Pace.Processor;
        return earlier.Least < ShortSeconds
            ? new ComparedTimes(earlier.Least, later.Least, pace, ByClock: false)
            : new ComparedTimes(earlier.Processor, later.Processor, pace, ByClock: false);
    }

    /// <summary>Whether the fastest time was seen at least so often: by then it is no accident that a later run may miss.</summary>
    public static bool AreSeen(IReadOnlyCollection<BenchmarkResult> results, int times)
    {
        double near = results.Min(Time) * (1 + Near);
        return results.Count(r => Time(r) <= near) >= times;
    }

    /// <summary>How far results lie apart: 0.1 where the slowest took a tenth more than the fastest.</summary>
    public static double Spread(IReadOnlyCollection<BenchmarkResult> results) => (results.Max(Time) / results.Min(Time)) - 1;

    private static FastestTimes Of(IReadOnlyCollection<BenchmarkResult> results, int times) => new(
        Reached(results, r => r.Least, times),
        Reached(results, r => r.Processor, times),
        new MachinePace(results.Min(r => r.Pace!.Value.Clock), results.Min(r => r.Pace!.Value.Processor), Waited: 0));

    // What at least so many results reached, or all of fewer.
    private static double Reached(IReadOnlyCollection<BenchmarkResult> results, Func<BenchmarkResult, double> time, int times) =>
        results.Select(time).Order().ElementAt(Math.Min(times, results.Count) - 1);

    // Of a GPU's calls and of files that lack the fastest, a time that one call in ten stayed below.
    private static double Time(BenchmarkResult result) => IsCounted(result) ? result.Least : result.Fast;

    private static bool IsCounted(BenchmarkResult result) => result is { Processor: > 0, Least: > 0, Pace: not null };

    private static bool IsIdle(BenchmarkResult result) => result.Pace is { Waited: < MachinePace.IdleWaiting };
}
