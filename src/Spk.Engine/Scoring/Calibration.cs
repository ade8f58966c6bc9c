using Spk.Interop;

namespace Spk.Engine.Scoring;

/// <summary>
/// What turns a score into a decision: a line from scores to log-likelihood ratios, learnt by logistic regression on labelled
/// trials, and a decision threshold. It belongs to one model and one way of scoring, and is stored as a small JSON file.
/// </summary>
public sealed partial record Calibration
{
    /// <summary>What cosines without normalization are called in <see cref="Scoring"/>.</summary>
    public const string Cosine = "cosine";

    private const int MostSteps = 100;

    /// <summary>a of <c>l = a · score + b</c>; above 0 for scores that rise with similarity.</summary>
    public required double Scale { get; init; }

    /// <summary>b of <c>l = a · score + b</c>.</summary>
    public required double Offset { get; init; }

    /// <summary>Scores from here on are accepted.</summary>
    public required double Threshold { get; init; }

    /// <summary>How the threshold was chosen, for people: "FAR 0.01 on 2580 trials".</summary>
    public string Rule { get; init; } = "";

    /// <summary>How the scores were made: <see cref="Cosine"/>, or <see cref="ScoreCohort.Scoring"/>.</summary>
    public string Scoring { get; init; } = Cosine;

    /// <summary>Identity of the cohort that normalized the scores (<see cref="ScoreCohort.Identity"/>); null for cosines.</summary>
    public string? Cohort { get; init; }

    /// <summary>Identity of the model whose scores these were; null where it is not known.</summary>
    public string? Model { get; init; }

    /// <summary>Number of target trials it was learnt from.</summary>
    public int Targets { get; init; }

    /// <summary>Number of non-target trials it was learnt from.</summary>
    public int NonTargets { get; init; }

    /// <summary>Where the cohort of a calibration is stored: beside it, <c>calibration.cohort.safetensors</c> for <c>calibration.json</c>.</summary>
    /// <param name="path">The calibration's file.</param>
    public static string CohortPath(string path) => Path.ChangeExtension(path, ".cohort.safetensors");

    /// <summary>The log-likelihood ratio of a score, natural logarithm.</summary>
    /// <param name="score">A score made as <see cref="Scoring"/> says.</param>
    public double LogLikelihoodRatio(double score) => (Scale * score) + Offset;

    /// <summary>The log-likelihood ratios of many scores.</summary>
    /// <param name="scores">Scores made as <see cref="Scoring"/> says.</param>
    public double[] LogLikelihoodRatios(ReadOnlySpan<float> scores)
    {
        var ratios = new double[scores.Length];
        for (int i = 0; i < ratios.Length; i++)
        {
            ratios[i] = LogLikelihoodRatio(scores[i]);
        }

        return ratios;
    }

    /// <summary>This calibration with the threshold that is best for a prior and costs, if the ratios are right.</summary>
    /// <param name="cost">Prior and costs.</param>
    /// <exception cref="InvalidOptionException">The prior or a cost is out of range, or the scale is not above 0.</exception>
    public Calibration WithThreshold(DetectionCost cost)
    {
        cost.Validate();
        if (!(Scale > 0))
        {
            throw new InvalidOptionException($"the calibration's scale is {Scale}: these scores do not rise with similarity, so that no threshold on them is best.");
        }

        return this with
        {
            Threshold = (cost.Threshold - Offset) / Scale,
            Rule = FormattableString.Invariant($"prior {cost.TargetPrior}, costs {cost.MissCost} and {cost.FalseAlarmCost}"),
        };
    }

    /// <summary>Learns the line from labelled trials; the threshold becomes that of equal error rates.</summary>
    /// <param name="scores">One finite score per trial.</param>
    /// <param name="isTarget">One label per trial; both kinds must occur.</param>
    /// <param name="prior">
    /// Weight of all target trials together against all non-target trials, in (0, 1): the operating point at which the line shall be
    /// best. 0.5 weighs both alike.
    /// </param>
    /// <returns>The calibration, of cosines of an unknown model; set <see cref="Scoring"/> and <see cref="Model"/> to what they are.</returns>
    /// <remarks>
    /// Where a score exists that no non-target reaches and no target misses, the best line would be infinitely steep. As in Platt's
    /// scaling, each side then counts as one more trial of which a half is of the other kind.
    /// </remarks>
    /// <inheritdoc cref="RankedTrials.Rank" path="/exception"/>
    public static Calibration Fit(ReadOnlySpan<float> scores, ReadOnlySpan<bool> isTarget, double prior = 0.5)
    {
        if (!(prior is > 0 and < 1))
        {
            throw new InvalidOptionException($"the calibration's prior is {prior}: allowed is a fraction between 0 and 1.");
        }

        var ranked = RankedTrials.Rank(scores, isTarget);
        var metrics = VerificationMetrics.Compute(ranked);
        bool separable = IsSeparable(ranked);
        var (mean, deviation) = Moments(ranked.Scores);
        if (deviation == 0)
        {
            throw new DataFormatException($"all {ranked.Count} scores are {ranked.Scores[0]}: they tell nothing to calibrate.");
        }

        var problem = new LogisticLine(ranked, mean, deviation, prior, separable);
        var (slope, intercept) = problem.Solve(MostSteps);
        return new Calibration
        {
            Scale = slope / deviation,
            Offset = intercept - (slope * mean / deviation),
            Threshold = metrics.EerThreshold,
            Rule = $"equal error rates on {ranked.Count} trials",
            Targets = ranked.Targets,
            NonTargets = ranked.NonTargets,
        };
    }

    // In either direction: all of one kind lie at or above all of the other.
    private static bool IsSeparable(RankedTrials ranked)
    {
        float highestTarget = float.MinValue, lowestTarget = float.MaxValue, highestOther = float.MinValue, lowestOther = float.MaxValue;
        for (int i = 0; i < ranked.Count; i++)
        {
            float score = ranked.Scores[i];
            if (ranked.IsTarget[i])
            {
                (highestTarget, lowestTarget) = (Math.Max(highestTarget, score), Math.Min(lowestTarget, score));
            }
            else
            {
                (highestOther, lowestOther) = (Math.Max(highestOther, score), Math.Min(lowestOther, score));
            }
        }

        return lowestTarget >= highestOther || lowestOther >= highestTarget;
    }

    private static (double Mean, double Deviation) Moments(ReadOnlySpan<float> scores)
    {
        double mean = 0, squares = 0;
        foreach (float score in scores)
        {
            mean += score;
        }

        mean /= scores.Length;
        foreach (float score in scores)
        {
            squares += (score - mean) * (score - mean);
        }

        return (mean, Math.Sqrt(squares / scores.Length));
    }
}
