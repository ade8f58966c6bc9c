using Spk.Engine.Scoring;

namespace Spk.Training.Evaluation;

/// <summary>What two systems can be compared by, measured on their scores of the same trials.</summary>
public enum ScoreMeasure
{
    /// <summary>Equal error rate (interpolated, ties grouped), a fraction.</summary>
    Eer,

    /// <summary>
    /// Natural logarithm of the equal error rate, of 0.0001 at least: its differences are relative, so that reductions at different levels compare.
    /// </summary>
    LogEer,

    /// <summary>Minimum normalized detection cost at target prior 0.01, unit costs.</summary>
    MinDcf01,

    /// <summary>Minimum normalized detection cost at target prior 0.05, unit costs.</summary>
    MinDcf05,

    /// <summary>Mean score of target trials.</summary>
    TargetCosine,

    /// <summary>Mean score of non-target trials.</summary>
    NonTargetCosine,

    /// <summary>
    /// (1 − mean target score) / (1 − mean non-target score): how far a speaker's utterances lie apart, in units of the distance between
    /// speakers. Lower is more compact; unlike the target score alone it does not fall when all embeddings move together.
    /// </summary>
    ScatterRatio,

    /// <summary>Share of target trials below the threshold of equal error, which is set once on all trials.</summary>
    FalseRejections,

    /// <summary>Share of non-target trials at or above the threshold of equal error, which is set once on all trials.</summary>
    FalseAcceptances,

    /// <summary>False rejection rate at a false acceptance rate of 1 %, interpolated; NaN below 1,000 non-target trials.</summary>
    FrrAtFar01,

    /// <summary>The same at 2 %; NaN below 500 non-target trials.</summary>
    FrrAtFar02,

    /// <summary>The same at 5 %; NaN below 200 non-target trials.</summary>
    FrrAtFar05,

    /// <summary>The same at 10 %; NaN below 100 non-target trials.</summary>
    FrrAtFar10,
}

/// <summary>One run's scores, ready to be measured on any draw of the speakers.</summary>
internal sealed class MeasuredScores
{
    private static readonly DetectionCost[] Prior01 = [DetectionCost.Prior01], Prior05 = [DetectionCost.Prior05];

    private const double LeastEer = 1e-4;

    private readonly RankedTrials _ranked;
    private readonly SpeakerBootstrap.Sample _sample;
    private readonly ScoreMeasure _measure;
    private readonly double _threshold;

    public MeasuredScores(RankedTrials ranked, SpeakerBootstrap bootstrap, ScoreMeasure measure)
    {
        _ranked = ranked;
        _sample = bootstrap.Of(ranked, null);
        _measure = measure;
        _threshold = measure is ScoreMeasure.FalseRejections or ScoreMeasure.FalseAcceptances ? VerificationMetrics.Compute(ranked).EerThreshold : 0;
        var once = new int[ranked.Count];
        Array.Fill(once, 1);
        Value = At(once);
    }

    /// <summary>The measure where every trial counts once.</summary>
    public double Value { get; }

    /// <summary>The measure on a draw; NaN where the draw lacks one kind of trial.</summary>
    /// <param name="multiplicity">How often each speaker was drawn.</param>
    /// <param name="weights">Scratch, a number for each trial.</param>
    public double Draw(ReadOnlySpan<int> multiplicity, Span<int> weights)
    {
        _sample.Weigh(multiplicity, weights);
        return At(weights[.._ranked.Count]);
    }

    private double At(ReadOnlySpan<int> weights)
    {
        Span<double> cost = stackalloc double[1];
        switch (_measure)
        {
            case ScoreMeasure.Eer:
                return _ranked.Weighted(weights, [], []);
            case ScoreMeasure.LogEer:
                return Math.Log(Math.Max(LeastEer, _ranked.Weighted(weights, [], [])));
            case ScoreMeasure.MinDcf01 or ScoreMeasure.MinDcf05:
                _ranked.Weighted(weights, _measure == ScoreMeasure.MinDcf01 ? Prior01 : Prior05, cost);
                return cost[0];
            case ScoreMeasure.FrrAtFar01:
                return _ranked.WeightedFrr(weights, 0.01);
            case ScoreMeasure.FrrAtFar02:
                return _ranked.WeightedFrr(weights, 0.02);
            case ScoreMeasure.FrrAtFar05:
                return _ranked.WeightedFrr(weights, 0.05);
            case ScoreMeasure.FrrAtFar10:
                return _ranked.WeightedFrr(weights, 0.1);
            default:
                return Moment(weights);
        }
    }

    private double Moment(ReadOnlySpan<int> weights)
    {
        var scores = _ranked.Scores;
        var isTarget = _ranked.IsTarget;
        long targets = 0, nonTargets = 0, rejected = 0, accepted = 0;
        double same = 0, different = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            long weight = weights[i];
            if (isTarget[i])
            {
                targets += weight;
                same += weight * (double)scores[i];
                rejected += scores[i] < _threshold ? weight : 0;
            }
            else
            {
                nonTargets += weight;
                different += weight * (double)scores[i];
                accepted += scores[i] < _threshold ? 0 : weight;
            }
        }

        if (targets == 0 || nonTargets == 0)
        {
            return double.NaN;
        }

        (same, different) = (same / targets, different / nonTargets);
        return _measure switch
        {
            ScoreMeasure.TargetCosine => same,
            ScoreMeasure.NonTargetCosine => different,
            ScoreMeasure.ScatterRatio => different < 1 ? (1 - same) / (1 - different) : double.NaN,
            ScoreMeasure.FalseRejections => (double)rejected / targets,
            _ => (double)accepted / nonTargets,
        };
    }
}
