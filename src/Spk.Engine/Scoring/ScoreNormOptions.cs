using Spk.Engine.Ops.Score;
using Spk.Interop;

namespace Spk.Engine.Scoring;

/// <summary>Settings of a score normalization.</summary>
/// <remarks>
/// The two toolkits in use differ: sslsv takes the 300 nearest utterances and the unbiased deviation (the defaults here), wespeaker
/// the 100 nearest speakers (<see cref="EmbeddingTable.Means"/>) after subtracting the cohort's mean embedding
/// (<see cref="EmbeddingTable.Centered"/>) and the biased deviation.
/// </remarks>
public sealed record ScoreNormOptions
{
    /// <summary>The kind.</summary>
    public ScoreNorm Kind { get; init; } = ScoreNorm.AdaptiveS;

    /// <summary>Members of the cohort that <see cref="ScoreNorm.AdaptiveS"/> looks at, 2 to 1024; the other kinds take all.</summary>
    public int Top { get; init; } = 300;

    /// <summary>True divides the squared differences by n − 1, false by n.</summary>
    public bool Unbiased { get; init; } = true;

    /// <summary>Whether scores are set against what the cohort scores with the enrolment.</summary>
    public bool UsesEnrolment => Kind != ScoreNorm.T;

    /// <summary>Whether scores are set against what the cohort scores with the test.</summary>
    public bool UsesTest => Kind != ScoreNorm.Z;

    /// <summary>The settings in a few words, such as "as-norm, 300 nearest of 6000"; equal settings give equal words.</summary>
    /// <param name="cohort">Size of the cohort.</param>
    public string Describe(int cohort)
    {
        string deviation = Unbiased ? "" : ", biased deviation";
        return Kind == ScoreNorm.AdaptiveS
            ? $"as-norm, {Top} nearest of {cohort}{deviation}"
            : $"{Kind.ToString().ToLowerInvariant()}-norm, cohort of {cohort}{deviation}";
    }

    internal void Validate(int cohort)
    {
        if (!Enum.IsDefined(Kind))
        {
            throw new InvalidOptionException($"score normalization {Kind} is unknown: allowed are {string.Join(", ", Enum.GetNames<ScoreNorm>())}.");
        }

        if (cohort < 2)
        {
            throw new DataFormatException($"a cohort of {cohort} embeddings cannot normalize scores: at least 2 are needed, and hundreds to be of use.");
        }

        int most = Math.Min(cohort, CosineTopK.MaximumNeighbours);
        if (Kind == ScoreNorm.AdaptiveS && (Top < 2 || Top > most))
        {
            throw new InvalidOptionException($"the {Top} nearest of a cohort of {cohort} were asked for: allowed are 2 to {most}.");
        }
    }
}
