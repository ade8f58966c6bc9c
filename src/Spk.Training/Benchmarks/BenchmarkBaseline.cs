namespace Spk.Training.Benchmarks;

/// <summary>Makes results that later ones can be compared with.</summary>
/// <remarks>
/// A baseline must know how fast each case can be, not how fast it happened to be: everything is measured in rounds, and what varies in further ones, until
/// its fastest time was seen several times (<see cref="BenchmarkComparison"/>).
/// </remarks>
public static class BenchmarkBaseline
{
    /// <summary>Rounds over all cases.</summary>
    public const int Rounds = 3;

    /// <summary>Rounds at most, over those whose fastest time was not seen often enough.</summary>
    public const int MostRounds = 20;

    /// <summary>How often that must be.</summary>
    public const int Sightings = 4;

    /// <summary>Seconds for each case in a further round: what disturbs lasts about as long, and many short looks see more than a few long ones.</summary>
    public const double RepeatedBudget = 0.2;

    /// <summary>Seconds of calls that average over what disturbs, and take too long for many rounds.</summary>
    internal const double LongSeconds = 0.5;

    /// <summary>Measures, round by round. Each round should run in a process of its own: in some processes a case is slower throughout.</summary>
    /// <param name="measure">Measures in the round of a number, from 1: all cases where no results are given, else only those of the results.</param>
    /// <param name="rounds">Rounds over all cases.</param>
    /// <param name="mostRounds">Rounds at most, of which those beyond <paramref name="rounds"/> are over what varies; 0 for none of them.</param>
    /// <param name="pause">Called before each round but the first, with its number from 2 and the cases in it: lets what disturbs pass.</param>
    /// <param name="done">Hears of all results after each round: they may take many minutes, and whoever ends them keeps what there is.</param>
    /// <returns>All results, round by round.</returns>
    public static IReadOnlyList<BenchmarkResult> Measure(
        Func<int, IReadOnlyList<BenchmarkResult>, IReadOnlyList<BenchmarkResult>> measure,
        int rounds = Rounds,
        int mostRounds = MostRounds,
        Action<int, int>? pause = null,
        Action<IReadOnlyList<BenchmarkResult>>? done = null)
    {
        ArgumentNullException.ThrowIfNull(measure);
        var results = new List<BenchmarkResult>(measure(1, []));
        done?.Invoke(results);
        for (int round = 2; round <= Math.Max(rounds, mostRounds); round++)
        {
            BenchmarkResult[] open = [.. results.GroupBy(r => r.Key, StringComparer.Ordinal).Where(g => round <= rounds || IsOpen([.. g])).Select(g => g.First())];
            if (open.Length == 0)
            {
                break;
            }

            pause?.Invoke(round, open.Length);
            results.AddRange(measure(round, round <= rounds ? [] : open));
            done?.Invoke(results);
        }

        return results;
    }

    private static bool IsOpen(BenchmarkResult[] results) => !FastestTimes.AreSeen(results, Sightings) && results[0].Median <= LongSeconds;
}
