namespace Spk.Engine.Scoring;

/// <summary>What a cohort scores with one embedding.</summary>
/// <param name="Mean">μ, the mean of the cosines.</param>
/// <param name="Deviation">σ, their standard deviation, above 0.</param>
public readonly record struct CohortStatistics(double Mean, double Deviation)
{
    /// <summary>How many deviations a score lies above the mean.</summary>
    /// <param name="score">A cosine.</param>
    public double Standardize(double score) => (score - Mean) / Deviation;
}
