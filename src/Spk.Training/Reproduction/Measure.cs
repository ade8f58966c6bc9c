using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>
/// A figure that a claim is about: a measure of the scores, which the bootstrap resamples, or a quantity that the run has one number of.
/// </summary>
public sealed record Measure
{
    private Measure(string key, string title, ScoreMeasure? score, bool percent) =>
        (Key, Title, Score, IsPercent) = (key, title, score, percent);

    /// <summary>Equal error rate.</summary>
    public static Measure Eer { get; } = new("eer", "EER", ScoreMeasure.Eer, percent: true);

    /// <summary>Its logarithm, by whose differences relative reductions compare; it has no column of its own.</summary>
    public static Measure LogEer { get; } = new("logEer", "ln EER", ScoreMeasure.LogEer, percent: false);

    /// <summary>Minimum detection cost at target prior 0.01.</summary>
    public static Measure MinDcf01 { get; } = new("minDcf01", "minDCF 0.01", ScoreMeasure.MinDcf01, percent: false);

    /// <summary>Mean cosine of target trials.</summary>
    public static Measure TargetCosine { get; } = new("targetCosine", "cosine, same speaker", ScoreMeasure.TargetCosine, percent: false);

    /// <summary>Mean cosine of non-target trials.</summary>
    public static Measure NonTargetCosine { get; } = new("nonTargetCosine", "cosine, different speakers", ScoreMeasure.NonTargetCosine, percent: false);

    /// <summary>Compactness: <see cref="ScoreMeasure.ScatterRatio"/>, lower is more compact.</summary>
    public static Measure ScatterRatio { get; } = new("scatterRatio", "scatter ratio", ScoreMeasure.ScatterRatio, percent: false);

    /// <summary>False negatives at the threshold of equal error.</summary>
    public static Measure FalseNegatives { get; } = new("falseNegatives", "false negatives", ScoreMeasure.FalseRejections, percent: true);

    /// <summary>False positives at the threshold of equal error.</summary>
    public static Measure FalsePositives { get; } = new("falsePositives", "false positives", ScoreMeasure.FalseAcceptances, percent: true);

    /// <summary>False rejection rate at a false acceptance rate of 1 %.</summary>
    public static Measure FrrAtFar01 { get; } = new("frrAtFar01", "FRR at FAR 1 %", ScoreMeasure.FrrAtFar01, percent: true);

    /// <summary>The same at 2 %.</summary>
    public static Measure FrrAtFar02 { get; } = new("frrAtFar02", "FRR at FAR 2 %", ScoreMeasure.FrrAtFar02, percent: true);

    /// <summary>The same at 5 %.</summary>
    public static Measure FrrAtFar05 { get; } = new("frrAtFar05", "FRR at FAR 5 %", ScoreMeasure.FrrAtFar05, percent: true);

    /// <summary>The same at 10 %.</summary>
    public static Measure FrrAtFar10 { get; } = new("frrAtFar10", "FRR at FAR 10 %", ScoreMeasure.FrrAtFar10, percent: true);

    /// <summary>The measures of scores that the tables show unless an experiment names others.</summary>
    public static IReadOnlyList<Measure> OfScores { get; } =
        [Eer, MinDcf01, FalseNegatives, FalsePositives, TargetCosine, NonTargetCosine, ScatterRatio];

    /// <summary>Name in JSON.</summary>
    public string Key { get; }

    /// <summary>Name on the page.</summary>
    public string Title { get; }

    /// <summary>Whether it is a fraction shown in per cent.</summary>
    public bool IsPercent { get; }

    /// <summary>How it is measured on scores; null for a quantity of the run.</summary>
    public ScoreMeasure? Score { get; }

    /// <summary>A quantity of the run: one of <see cref="RunFigures.Quantities"/>.</summary>
    /// <param name="field">Name of the field, such as "cosPositive".</param>
    /// <param name="title">Name on the page.</param>
    /// <param name="percent">Whether it is a fraction shown in per cent.</param>
    public static Measure Quantity(string field, string title, bool percent = false) => new(field, title, null, percent);
}
