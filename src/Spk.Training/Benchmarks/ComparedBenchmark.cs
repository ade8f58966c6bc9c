namespace Spk.Training.Benchmarks;

/// <summary>Times of a case then and now.</summary>
/// <param name="Before">The fastest that the baseline reached several times, seconds: of a call by the clock, or of all processors for one.</param>
/// <param name="Now">The fastest of this run.</param>
/// <param name="Pace">By how much work that never changes became slower: 1.1 by a tenth.</param>
/// <param name="ByClock">Whether the machine was idle in both runs, so that all that the clock shows counts, a lost thread too.</param>
public readonly record struct ComparedTimes(double Before, double Now, double Pace, bool ByClock)
{
    /// <summary>
    /// Time by time; above 1 is slower than the baseline. What work that never changes lost is taken off, what it won is not put on: it varies by
    /// itself, and what is no slower by any clock is not made so by it. A case that became slower while the machine became faster is then missed.
    /// </summary>
    public double Ratio => Now / Before / Math.Max(1, Pace);
}

/// <summary>One case beside its baseline.</summary>
/// <param name="Baseline">The baseline's fastest result.</param>
/// <param name="Result">The fastest result of this run.</param>
/// <param name="Times">The fastest times of all results of both.</param>
/// <param name="Measurements">How often the case was measured in this run.</param>
/// <param name="Slower">Whether it became slower than allowed.</param>
/// <param name="Overloaded">Whether it seems slower, but the machine was never free enough to tell. Not counted as slower.</param>
/// <param name="BaselineSpread">How far the baseline's results lie apart: 0.1 where the slowest took a tenth more than the fastest.</param>
public sealed record ComparedBenchmark(
    BenchmarkResult Baseline, BenchmarkResult Result, ComparedTimes Times, int Measurements, bool Slower, bool Overloaded, double BaselineSpread);
