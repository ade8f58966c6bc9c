namespace Spk.Training.Benchmarks;

/// <summary>One case beside its baseline.</summary>
/// <param name="Baseline">The baseline's result.</param>
/// <param name="Result">The fastest result of this run.</param>
/// <param name="Slower">Whether it became slower than allowed.</param>
public sealed record ComparedBenchmark(BenchmarkResult Baseline, BenchmarkResult Result, bool Slower)
{
    /// <summary>Time by time: above 1 is slower than the baseline.</summary>
    public double Ratio => Result.Fast / Baseline.Fast;
}

/// <summary>
/// Compares results with those of an earlier run on the same machine. Disturbances only ever add time, so what is compared is the time
/// that one call in ten stays below; and a case that seems slower is measured again, minutes later, before it counts.
/// </summary>
public static class BenchmarkComparison
{
    /// <summary>How often a case that seems slower is measured again.</summary>
    public const int Repetitions = 3;

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

        var pairs = results.Where(r => before.ContainsKey(r.Key)).Select(r => (Baseline: before[r.Key], Result: r)).ToArray();

        // Round by round over all that seem slower: a disturbance that lasts a while has time to end.
        for (int round = 0; round < Repetitions; round++)
        {
            foreach (ref var pair in pairs.AsSpan())
            {
                if (IsSlower(pair.Baseline, pair.Result, allowed) && again(pair.Result) is { } repeated && repeated.Fast < pair.Result.Fast)
                {
                    pair.Result = repeated;
                }
            }
        }

        return [.. pairs.Select(p => new ComparedBenchmark(p.Baseline, p.Result, IsSlower(p.Baseline, p.Result, allowed)))];
    }

    private static bool IsSlower(BenchmarkResult baseline, BenchmarkResult result, double allowed) => result.Fast > (1 + allowed) * baseline.Fast;
}
