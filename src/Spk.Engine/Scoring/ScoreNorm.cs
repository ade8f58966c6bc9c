namespace Spk.Engine.Scoring;

/// <summary>How a raw score s of an enrolment e and a test t is set against what a cohort of other speakers scores with them.</summary>
/// <remarks>μ and σ are the mean and deviation of the cosines of one side with the cohort.</remarks>
public enum ScoreNorm
{
    /// <summary>Zero normalization: <c>(s − μₑ) / σₑ</c> (Reynolds 1997).</summary>
    Z,

    /// <summary>Test normalization: <c>(s − μₜ) / σₜ</c> (Auckenthaler et al. 2000).</summary>
    T,

    /// <summary>Symmetric normalization: the mean of Z and T (Kenny 2010).</summary>
    S,

    /// <summary>
    /// Adaptive symmetric normalization (AS-Norm): as <see cref="S"/>, with μ and σ over the nearest members of the cohort on each
    /// side (Matějka et al. 2017).
    /// </summary>
    AdaptiveS,
}
