using Spk.Engine.Numerics;

namespace Spk.Engine.Scoring;

/// <summary>The error rates of one decision threshold; a score of at least the threshold is accepted.</summary>
/// <param name="Threshold">Score; +∞ rejects every trial.</param>
/// <param name="Far">False acceptance rate: the share of non-target trials accepted, a fraction.</param>
/// <param name="Frr">False rejection rate: the share of target trials rejected, a fraction.</param>
public readonly record struct OperatingPoint(double Threshold, double Far, double Frr)
{
    /// <summary>Φ⁻¹(FAR), the abscissa of a detection error trade-off plot; infinite for a FAR of 0 or 1.</summary>
    public double DetX => NormalDistribution.Quantile(Far);

    /// <summary>Φ⁻¹(FRR), the ordinate of a detection error trade-off plot; infinite for an FRR of 0 or 1.</summary>
    public double DetY => NormalDistribution.Quantile(Frr);
}
