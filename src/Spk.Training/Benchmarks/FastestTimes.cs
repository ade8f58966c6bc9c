namespace Spk.Training.Benchmarks;

/// <summary>
/// The fastest times of several measurements of one case, made at different times: what is left when neighbours on the machine, who slow single
/// measurements by a fifth or by half for as long as one takes, leave it alone. Of a baseline that is not the fastest, which may have been luck, but
/// what was reached <see cref="BenchmarkBaseline.Sightings"/> times.
/// </summary>
internal static class FastestTimes
{
    // Measurements so much slower than the fastest have seen the same.
    private const double Near = 0.03;

    // A scheduler lets a thread run for so long: a call that takes less is now and then left alone.
    private const double ShortSeconds = 3e-3;

    /// <summary>Compares what was measured now with what was then.</summary>
    public static ComparedTimes Compare(IReadOnlyCollection<BenchmarkResult> then, IReadOnlyCollection<BenchmarkResult> now)
    {
        var (time, pace) = Clocks(then, now);
        return new ComparedTimes(
            Reached(then, time, BenchmarkBaseline.Sightings),
            now.Min(time),
            now.Min(pace) / Reached(then, pace, BenchmarkBaseline.Sightings),
            ByClock: !then.All(IsCounted) || !now.All(IsCounted) || AreIdle(then, now));
    }

    /// <summary>Whether the fastest time was seen at least so often: by then it is no accident that others may miss.</summary>
    /// <param name="results">Some results.</param>
    /// <param name="times">So often.</param>
    /// <param name="then">What they are compared with; null where that comes later.</param>
    public static bool AreSeen(IReadOnlyCollection<BenchmarkResult> results, int times, IReadOnlyCollection<BenchmarkResult>? then = null)
    {
        var (time, _) = Clocks(then ?? results, results);
        double near = results.Min(time) * (1 + Near);
        return results.Count(r => time(r) <= near) >= times;
    }

    /// <summary>How far results lie apart: 0.1 where the slowest took a tenth more than the fastest.</summary>
    public static double Spread(IReadOnlyCollection<BenchmarkResult> results)
    {
        var (time, _) = Clocks(results, results);
        return (results.Max(time) / results.Min(time)) - 1;
    }

    // Which time of a result counts, and the machine's pace by the same clock.
    private static (Func<BenchmarkResult, double> Time, Func<BenchmarkResult, double> Pace) Clocks(
        IReadOnlyCollection<BenchmarkResult> then, IReadOnlyCollection<BenchmarkResult> now)
    {
        // Calls of a GPU, and files that lack the fastest.
        if (!then.All(IsCounted) || !now.All(IsCounted))
        {
            return (r => r.Fast, _ => 1);
        }

        if (AreIdle(then, now))
        {
            return (r => r.Least, r => r.Pace!.Value.Clock);
        }

        return then.Min(r => r.Least) < ShortSeconds
            ? (r => r.Least, r => r.Pace!.Value.Processor)
            : (r => r.Processor, r => r.Pace!.Value.Processor);
    }

    // What at least so many results reached, or all of fewer.
    private static double Reached(IReadOnlyCollection<BenchmarkResult> results, Func<BenchmarkResult, double> time, int times) =>
        results.Select(time).Order().ElementAt(Math.Min(times, results.Count) - 1);

    private static bool IsCounted(BenchmarkResult result) => result is { Processor: > 0, Least: > 0, Pace: not null };

    // Whether the machine was idle at times, both then and now. The clock shows most then, a lost thread too.
    private static bool AreIdle(IReadOnlyCollection<BenchmarkResult> then, IReadOnlyCollection<BenchmarkResult> now) => then.Any(IsIdle) && now.Any(IsIdle);

    private static bool IsIdle(BenchmarkResult result) => result.Pace is { Waited: < MachinePace.IdleWaiting };
}
