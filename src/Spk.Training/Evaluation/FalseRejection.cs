using Spk.Engine.Scoring;

namespace Spk.Training.Evaluation;

/// <summary>How many targets are rejected when so many non-targets are accepted.</summary>
/// <param name="Far">False acceptance rate, a fraction.</param>
/// <param name="Frr">
/// False rejection rate there, linearly interpolated, a fraction; null where there are fewer than 10 / FAR non-target trials, as the next.
/// </param>
/// <param name="Threshold">Smallest threshold whose false acceptance rate is no higher.</param>
public readonly record struct FalseRejection(double Far, double? Frr, double? Threshold)
{
    /// <summary>The false acceptance rates that are reported: 1, 2, 5 and 10 %.</summary>
    public static IReadOnlyList<double> Reported { get; } = [0.01, 0.02, 0.05, 0.1];

    internal static FalseRejection[] Of(VerificationMetrics? metrics) =>
        [.. Reported.Select(far => metrics?.CanMeasureFar(far) == true
            ? new FalseRejection(far, metrics.FrrAtFar(far), metrics.ThresholdAtFar(far).Threshold)
            : new FalseRejection(far, null, null))];
}
