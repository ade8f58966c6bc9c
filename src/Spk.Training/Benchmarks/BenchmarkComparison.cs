namespace Spk.Training.Benchmarks;

/// <summary>
/// Compares results with those of an earlier run on the same machine, which may be busy with other work, and may share caches and memory with machines
/// that are.
/// </summary>
/// <remarks>
/// <para>Neighbours make single measurements slower by a fifth or by half, for about as long as one takes, and never faster: the fastest of many is what
/// comes back from run to run. The fastest time now is therefore compared with what the baseline (<see cref="BenchmarkBaseline"/>) reached several times, and a
/// case that seems slower is measured again, at other times, until it does not, or its own fastest time was seen so often that no faster one is to be
/// expected. A case that varies so much that its baseline reached its fastest time but once must become slower by that much more to be found.</para>
/// <para>Where work that never changes takes longer than it did, times are relative to it (<see cref="MachinePace"/>). Where the machine was idle at times in both
/// runs the clock alone counts: a call that lost its second thread takes no more processor time, and threads that wait awake for work take some that
/// nobody misses. Else short calls are compared by the fastest of them, which nothing disturbed, and long ones by processor time, which waiting for a
/// processor does not add to. Where other work kept the processors in all measurements, nothing can be told, and that is what is said.</para>
/// </remarks>
public static class BenchmarkComparison
{
    /// <summary>How often a case that seems slower is measured again at most.</summary>
    public const int Repetitions = 30;

    /// <summary>How often its fastest time must have been seen to end that earlier.</summary>
    public const int Sightings = 10;

    /// <summary>How often a case with long calls is measured again: they average over what disturbs.</summary>
    internal const int LongRepetitions = 5;

    // By fewer measurements the yardstick seems slow by accident.
    private const int FewestForPace = 3;

    // Other work does not make anything that much slower.
    private const double BeyondOverload = 100;

    /// <summary>Compares.</summary>
    /// <param name="baseline">The earlier results, several of each case.</param>
    /// <param name="results">The new ones.</param>
    /// <param name="allowed">How much slower a case may be: 0.1 for a tenth.</param>
    /// <param name="again">Measures the cases of some results anew; without those that cannot be.</param>
    /// <param name="pause">Called before a repetition, 0 to <see cref="Repetitions"/> − 1, with the number of cases that seem slower: the longer it takes, the longer may be what
    /// disturbs.</param>
    /// <returns>All cases that both have.</returns>
    public static IReadOnlyList<ComparedBenchmark> Compare(
        IReadOnlyList<BenchmarkResult> baseline,
        IReadOnlyList<BenchmarkResult> results,
        double allowed,
        Func<IReadOnlyList<BenchmarkResult>, IReadOnlyList<BenchmarkResult>> again,
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
            var slower = cases.Where(c => c.Now.Count > round && IsOpen(c.Before, c.Now, allowed)).ToDictionary(c => c.Now[0].Key, c => c.Now, StringComparer.Ordinal);
            if (slower.Count == 0)
            {
                break;
            }

            pause?.Invoke(round, slower.Count);
            foreach (var repeated in again([.. slower.Values.Select(now => now[0])]))
            {
                slower[repeated.Key].Add(repeated);
            }
        }

        return [.. cases.Select(c => Verdict(c.Before, c.Now, allowed))];
    }

    // Whether a case seems slower, and measuring it again may show that it is not.
    private static bool IsOpen(BenchmarkResult[] before, List<BenchmarkResult> now, double allowed)
    {
        var times = FastestTimes.Compare(before, now);
        double ratio = now.Count < FewestForPace ? times.Now / times.Before : times.Ratio;
        bool isEnough = now.Count > LongRepetitions && now[0].Median > BenchmarkBaseline.LongSeconds;
        return ratio > 1 + allowed && ratio < BeyondOverload && !isEnough && !FastestTimes.AreSeen(now, Sightings, before);
    }

    private static ComparedBenchmark Verdict(BenchmarkResult[] before, List<BenchmarkResult> now, double allowed)
    {
        var times = FastestTimes.Compare(before, now);
        bool told = (before.Any(Tells) && now.Any(Tells)) || times.Ratio > BeyondOverload;
        return new ComparedBenchmark(
            before.MinBy(r => r.Fast)!,
            now.MinBy(r => r.Fast)!,
            times,
            now.Count,
            Slower: times.Ratio > 1 + allowed && told,
            Overloaded: times.Ratio > 1 + allowed && !told,
            FastestTimes.Spread(before));
    }

    private static bool Tells(BenchmarkResult result) => result.Pace is not { Waited: > MachinePace.OverloadedWaiting };
}
