namespace Spk.Training.Benchmarks;

/// <summary>One case beside its baseline.</summary>
/// <param name="Baseline">The baseline's result.</param>
/// <param name="Result">The result of this run that looks best against it.</param>
/// <param name="Measurements">How often the case was measured in this run.</param>
/// <param name="Slower">Whether it became slower than allowed, in every measurement.</param>
public sealed record ComparedBenchmark(BenchmarkResult Baseline, BenchmarkResult Result, int Measurements, bool Slower)
{
    /// <summary>Time by time: above 1 is slower than the baseline. See <see cref="BenchmarkComparison"/>.</summary>
    public double Ratio => BenchmarkComparison.Ratio(Baseline, Result);

    /// <summary>Whether the machine was idle in both measurements, so that calls as they usually are by the clock count too.</summary>
    public bool ByClock => BenchmarkComparison.ByClock(Baseline, Result);
}

/// <summary>
/// Compares results with those of an earlier run on the same machine, which may be busy with other work; where work that never changes takes
/// longer than it did, times are relative to it (<see cref="MachinePace"/>). On a busy machine short calls are compared by the fastest of them, which nothing disturbed,
/// and long ones by processor time, which waiting for a processor does not add to. Where the machine was idle both times, the clock alone counts:
/// a call that lost its second thread takes no more processor time, and threads that wait awake for work take some that nobody misses. A case that seems slower is measured again, at other times, and
/// counts only if it seems slower in every measurement.
/// </summary>
public static class BenchmarkComparison
{
    /// <summary>How often a case that seems slower is measured again.</summary>
    public const int Repetitions = 5;

    // A scheduler lets a thread run for so long: a call that takes less is now and then left alone.
    private const double ShortSeconds = 3e-3;

    // A machine on which threads wait for longer than this is busy.
    internal const double IdleWaiting = 0.05;

    /// <summary>Compares.</summary>
    /// <param name="baseline">The earlier results.</param>
    /// <param name="results">The new ones.</param>
    /// <param name="allowed">How much slower a case may be: 0.1 for a tenth.</param>
    /// <param name="again">Measures a case anew; null where it cannot be.</param>
    /// <returns>All cases that both have.</returns>
    public static IReadOnlyList<ComparedBenchmark> Compare(
        IReadOnlyList<BenchmarkResult> baseline, IReadOnlyList<BenchmarkResult> results, double allowed, Func<BenchmarkResult, BenchmarkResult?> again)
    {
        ArgumentNullException.ThrowIfNull(baseline);
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(again);
        var before = new Dictionary<string, BenchmarkResult>(StringComparer.Ordinal);
        foreach (var result in baseline)
        {
            before[result.Key] = result;
        }

        var pairs = results.Where(r => before.ContainsKey(r.Key)).Select(r => (Baseline: before[r.Key], Result: r, Measurements: 1)).ToArray();

        // Round by round over all that seem slower: a disturbance that lasts a while has time to end.
        for (int round = 0; round < Repetitions; round++)
        {
            foreach (ref var pair in pairs.AsSpan())
            {
                if (Ratio(pair.Baseline, pair.Result) > 1 + allowed && again(pair.Result) is { } repeated)
                {
                    pair.Measurements++;
                    pair.Result = Ratio(pair.Baseline, repeated) < Ratio(pair.Baseline, pair.Result) ? repeated : pair.Result;
                }
            }
        }

        return [.. pairs.Select(p => new ComparedBenchmark(p.Baseline, p.Result, p.Measurements, Ratio(p.Baseline, p.Result) > 1 + allowed))];
    }

    internal static bool ByClock(BenchmarkResult baseline, BenchmarkResult result) => !Counted(baseline, result) || (IsIdle(baseline) && IsIdle(result));

    internal static double Ratio(BenchmarkResult baseline, BenchmarkResult result)
    {
        double clock = result.Fast / baseline.Fast;
        if (!Counted(baseline, result))
        {
            return clock;
        }

        double pace = result.Pace!.Value.Processor / baseline.Pace!.Value.Processor;
        double ratio = ByClock(baseline, result) ? clock : baseline.Least < ShortSeconds ? result.Least / baseline.Least : result.Processor / baseline.Processor;

        // The yardstick varies by itself: what is no slower by any clock is not made so by it. A case that became slower while the machine became
        // faster is then missed.
        return ratio / Math.Max(1, pace);
    }

    private static bool Counted(BenchmarkResult baseline, BenchmarkResult result) =>
        baseline is { Processor: > 0, Least: > 0, Pace: not null } && result is { Processor: > 0, Least: > 0, Pace: not null };

    private static bool IsIdle(BenchmarkResult result) => result.Pace is { Waited: < IdleWaiting };
}
