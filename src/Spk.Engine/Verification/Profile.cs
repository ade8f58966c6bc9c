namespace Spk.Engine.Verification;

/// <summary>What is kept of an enrolled speaker: no audio, one unit vector.</summary>
/// <param name="Id">Name of the speaker, 1 to 256 characters without control characters.</param>
/// <param name="Embedding">[D], of unit length: the mean of the unit embeddings of the enrolment recordings.</param>
/// <param name="Recordings">How many recordings it was made from.</param>
public sealed record Profile(string Id, ReadOnlyMemory<float> Embedding, int Recordings);

/// <summary>The answer to "is this the speaker?".</summary>
/// <param name="Id">The claimed speaker.</param>
/// <param name="Score">Cosine of the recording with the profile, −1 to 1; with a cohort, the normalized score.</param>
/// <param name="Accepted">Whether the score reaches the threshold.</param>
/// <param name="Threshold">Smallest score that is accepted.</param>
/// <param name="LogLikelihoodRatio">How much more likely the score is from the speaker than from another, natural logarithm.</param>
public readonly record struct Verification(string Id, float Score, bool Accepted, double Threshold, double LogLikelihoodRatio);

/// <summary>One of the profiles nearest to a recording.</summary>
/// <param name="Id">The speaker.</param>
/// <param name="Score">Cosine of the recording with the profile, −1 to 1; with a cohort, the normalized score.</param>
public readonly record struct SpeakerMatch(string Id, float Score);
