using Spk.Engine.Scoring;

namespace Spk.Training.Evaluation;

/// <summary>What a stored calibration is worth on these trials.</summary>
/// <param name="Cllr">Cost of its log-likelihood ratios, bits; 1 is what knowing nothing costs.</param>
/// <param name="MinCllr">The least that any calibration of these scores reaches.</param>
/// <param name="ActualDcf01">Normalized cost of its decisions at prior 0.01, unit costs.</param>
/// <param name="ActualDcf05">Normalized cost of its decisions at prior 0.05, unit costs.</param>
/// <param name="AtThreshold">Error rates at its stored threshold.</param>
public sealed record CalibrationResult(double Cllr, double MinCllr, double ActualDcf01, double ActualDcf05, OperatingPoint AtThreshold)
{
    /// <summary>Applies a calibration.</summary>
    /// <param name="calibration">The calibration.</param>
    /// <param name="ranked">The trials, scored as the calibration wants.</param>
    public static CalibrationResult Of(Calibration calibration, RankedTrials ranked)
    {
        ArgumentNullException.ThrowIfNull(calibration);
        ArgumentNullException.ThrowIfNull(ranked);
        double[] ratios = calibration.LogLikelihoodRatios(ranked.Scores);
        int missed = 0, accepted = 0;
        for (int i = 0; i < ratios.Length; i++)
        {
            bool accept = ranked.Scores[i] >= calibration.Threshold;
            missed += ranked.IsTarget[i] && !accept ? 1 : 0;
            accepted += !ranked.IsTarget[i] && accept ? 1 : 0;
        }

        return new CalibrationResult(
            CalibrationMetrics.Cllr(ratios, ranked.IsTarget),
            CalibrationMetrics.MinCllr(ranked),
            CalibrationMetrics.ActualDcf(ratios, ranked.IsTarget, DetectionCost.Prior01),
            CalibrationMetrics.ActualDcf(ratios, ranked.IsTarget, DetectionCost.Prior05),
            new OperatingPoint(calibration.Threshold, (double)accepted / ranked.NonTargets, (double)missed / ranked.Targets));
    }
}
