using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>What the data at hand say about a claim.</summary>
public enum Verdict
{
    /// <summary>They agree with it.</summary>
    Reproduced,

    /// <summary>They contradict it.</summary>
    NotReproduced,

    /// <summary>They do not tell.</summary>
    Inconclusive,
}

/// <summary>Verdicts in words.</summary>
public static class Verdicts
{
    /// <summary>A verdict as people read it.</summary>
    /// <param name="verdict">The verdict.</param>
    public static string ToText(this Verdict verdict) => verdict switch
    {
        Verdict.Reproduced => "reproduced",
        Verdict.NotReproduced => "not reproduced",
        _ => "inconclusive",
    };
}

/// <summary>The rules that verdicts follow.</summary>
internal static class VerdictRule
{
    /// <summary>The rules in words, for the page.</summary>
    public const string InWords =
        "Two systems are compared by the difference of their means over seeds, with a bootstrap interval over speakers that measures both on the same draws. "
        + "The claim is reproduced where the interval excludes 0 on the claimed side, not reproduced where it excludes 0 on the other side, and inconclusive where it holds 0. "
        + "Quantities that a run has one number of, and claims about a limit, are reproduced where every seed agrees, not reproduced where every seed disagrees, and else inconclusive, "
        + "as they are with a single seed.";

    /// <summary>Judges a paired comparison over seeds.</summary>
    /// <param name="comparison">Second system minus first.</param>
    /// <param name="secondIsLower">Whether the claim says that the second system measures lower.</param>
    public static Verdict Of(SystemComparison comparison, bool secondIsLower) => comparison.Interval is not { } ends || !comparison.IsSignificant
        ? Verdict.Inconclusive
        : ends.High < 0 == secondIsLower ? Verdict.Reproduced : Verdict.NotReproduced;

    /// <summary>Judges a recovered gain over seeds, by its interval.</summary>
    /// <param name="gain">The gain.</param>
    /// <param name="share">The share that it is claimed to exceed.</param>
    public static Verdict Of(RecoveredGain gain, double share) =>
        gain.Interval is not { } ends ? Verdict.Inconclusive
        : ends.Low > share ? Verdict.Reproduced
        : ends.High < share ? Verdict.NotReproduced
        : Verdict.Inconclusive;

    /// <summary>Judges numbers, one a seed: how far each lies on the claimed side; 0 and NaN are on neither.</summary>
    public static Verdict Of(IReadOnlyCollection<double> margins) =>
        margins.Count < 2 ? Verdict.Inconclusive
        : margins.All(m => m > 0) ? Verdict.Reproduced
        : margins.All(m => m < 0) ? Verdict.NotReproduced
        : Verdict.Inconclusive;
}
