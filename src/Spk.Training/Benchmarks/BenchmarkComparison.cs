namespace Spk.Training.Benchmarks;

/// <summary>One case beside its baseline.</summary>
/// <param name="Baseline">The baseline's result; of several the one that looks slowest.</param>
/// <param name="Result">The result of this run that looks best against it.</param>
/// <param name="Measurements">How often the case was measured in this run.</param>
/// <param name="Slower">Whether it became slower than allowed, in every measurement against every result of the baseline.</param>
/// <param name="Overloaded">Whether it seems slower, but the machine was never free enough to tell. Not counted as slower.</param>
/// <param name="BaselineSpread">How far the baseline's results lie apart: 0.1 where the slowest took a tenth more than the fastest.</param>
public sealed record ComparedBenchmark(BenchmarkResult Baseline, BenchmarkResult Result, int Measurements, bool Slower, bool Overloaded, double BaselineSpread)
{
    /// <summary>Time by time: above 1 is slower than the baseline. See <see cref="BenchmarkComparison"/>.</summary>
    public double Ratio => BenchmarkComparison.Ratio(Baseline, Result);

    /// <summary>Whether the machine was idle in both measurements, so that calls as they usually are by the clock count too.</summary>
    public bool ByClock => BenchmarkComparison.ByClock(Baseline, Result);
}

/// <summary>
/// Compares results with those of an earlier run on the same machine, which may be busy with other work, and may share memory with machines that are.
/// </summary>
/// <remarks>
/// <para>Where work that never changes takes longer than it did, times are relative to it (<see cref="MachinePace"/>). On a busy machine short calls are
/// compared by the fastest of them, which nothing disturbed, and long ones by processor time, which waiting for a processor does not add to. Where the
/// machine was idle both times, in any of the measurements, the clock alone counts, and only those do: a call that lost its second thread takes no more processor time, and threads that wait awake for
/// work take some that nobody misses.</para>
/// <para>What is left is told from a change by repetition. A baseline should hold several results of each case, from different times; a case that seems
/// slower than all of them is measured again, at other times, and counts only if it seems so in every measurement. A case whose times vary by more
/// than is allowed must thus become slower than it ever was before it counts. Where other work kept the processors in all measurements, nothing can be
/// told, and that is what is said.</para>
/// </remarks>
public static class BenchmarkComparison
{
    /// <summary>How often a case that seems slower is measured again.</summary>
    public const int Repetitions = 5;

    // A scheduler lets a thread run for so long: a call that takes less is now and then left alone.
    private const double ShortSeconds = 3e-3;

    // A machine on which threads wait for longer than this, in seconds a second, is busy; and so busy that no time tells anything.
    internal const double IdleWaiting = 0.025, OverloadedWaiting = 0.25;

    // Other work does not make anything that much slower.
    private const double BeyondOverload = 100;

    /// <summary>Compares.</summary>
    /// <param name="baseline">The earlier results, one or several of each case.</param>
    /// <param name="results">The new ones.</param>
    /// <param name="allowed">How much slower a case may be: 0.1 for a tenth.</param>
    /// <param name="again">Measures a case anew; null where it cannot be.</param>
    /// <param name="pause">Called before a repetition, 0 to <see cref="Repetitions"/> − 1, with the number of cases that seem slower: the longer it takes, the longer may be what
    /// disturbs.</param>
    /// <returns>All cases that both have.</returns>
    public static IReadOnlyList<ComparedBenchmark> Compare(
        IReadOnlyList<BenchmarkResult> baseline,
        IReadOnlyList<BenchmarkResult> results,
        double allowed,
        Func<BenchmarkResult, BenchmarkResult?> again,
        Action<int, int>? pause = null)
    {
        ArgumentNullException.ThrowIfNull(baseline);
        ArgumentNullException.ThrowIfNull(results);
        ArgumentNullException.ThrowIfNull(again);
        var before = baseline.GroupBy(r => r.Key, StringComparer.Ordinal).ToDictionary(g => g.Key, g => g.ToArray(), StringComparer.Ordinal);
        var cases = results.Where(r => before.ContainsKey(r.Key)).GroupBy(r => r.Key, StringComparer.Ordinal)
            .Select(g => (Before: before[g.Key], Now: g.ToList())).ToArray();

        // Round by round over all that seem slower: a disturbance that lasts a while has time to end.
        for (int round = 0; round < Repetitions; round++)
        {
            var slower = cases.Where(c => Ratio(Closest(c.Before, c.Now)) > 1 + allowed).ToArray();
            if (slower.Length == 0)
            {
                break;
            }

            pause?.Invoke(round, slower.Length);
            foreach (var (earlier, now) in slower)
            {
                if (again(Closest(earlier, now).Result) is { } repeated)
                {
                    now.Add(repeated);
                }
            }
        }

        return [.. cases.Select(c => Verdict(c.Before, c.Now, allowed))];
    }

    private static ComparedBenchmark Verdict(BenchmarkResult[] earlier, List<BenchmarkResult> now, double allowed)
    {
        var closest = Closest(earlier, now);
        double ratio = Ratio(closest);
        bool told = (earlier.Any(Tells) && now.Any(Tells)) || ratio > BeyondOverload;
        double spread = (earlier.Max(b => b.Fast) / earlier.Min(b => b.Fast)) - 1;
        return new ComparedBenchmark(closest.Baseline, closest.Result, now.Count, ratio > 1 + allowed && told, ratio > 1 + allowed && !told, spread);
    }

    // The two measurements that look most alike. Where some were made on an idle machine both times, others do not count: a busy machine hides what only
    // the clock would show.
    private static (BenchmarkResult Baseline, BenchmarkResult Result) Closest(BenchmarkResult[] earlier, List<BenchmarkResult> now)
    {
        var pairs = earlier.SelectMany(_ => now, (b, r) => (Baseline: b, Result: r)).ToArray();
        var idle = pairs.Where(p => ByClock(p.Baseline, p.Result)).ToArray();
        return (idle.Length > 0 ? idle : pairs).MinBy(Ratio);
    }

    private static double Ratio((BenchmarkResult Baseline, BenchmarkResult Result) pair) => Ratio(pair.Baseline, pair.Result);

    internal static bool ByClock(BenchmarkResult baseline, BenchmarkResult result) => !Counted(baseline, result) || (IsIdle(baseline) && IsIdle(result));

    internal static double Ratio(BenchmarkResult baseline, BenchmarkResult result)
    {
        double clock = result.Fast / baseline.Fast;
        if (!Counted(baseline, result))
        {
            return clock;
        }

        var (paceNow, paceThen) = (result.Pace!.Value, baseline.Pace!.Value);
        var (ratio, pace) = ByClock(baseline, result) ? (clock, paceNow.Clock / paceThen.Clock)
            : (baseline.Least < ShortSeconds ? result.Least / baseline.Least : result.Processor / baseline.Processor, paceNow.Processor / paceThen.Processor);

        // The yardstick varies by itself: what is no slower by any clock is not made so by it. A case that became slower while the machine became
        // faster is then missed.
        return ratio / Math.Max(1, pace);
    }

    private static bool Counted(BenchmarkResult baseline, BenchmarkResult result) => Counted(baseline) && Counted(result);

    private static bool Counted(BenchmarkResult result) => result is { Processor: > 0, Least: > 0, Pace: not null };

    private static bool Tells(BenchmarkResult result) => result.Pace is not { Waited: > OverloadedWaiting };

    private static bool IsIdle(BenchmarkResult result) => result.Pace is { Waited: < IdleWaiting };
}
