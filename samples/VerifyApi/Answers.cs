using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Mvc;

namespace VerifyApi;

/// <summary>Who is enrolled, and by what they are compared.</summary>
/// <param name="Speakers">Names.</param>
/// <param name="Threshold">Smallest cosine that is accepted; null where there is none.</param>
/// <param name="Model">Identity of the model.</param>
internal sealed record SpeakersAnswer(IEnumerable<string> Speakers, double? Threshold, string Model);

/// <summary>A speaker was enrolled.</summary>
/// <param name="Id">Name.</param>
/// <param name="Recordings">How many recordings the profile was made from.</param>
internal sealed record EnrolledAnswer(string Id, int Recordings);

/// <summary>Is this the speaker?</summary>
/// <param name="Id">The claimed speaker.</param>
/// <param name="Score">Cosine, −1 to 1; normalized where the model's calibration is of normalized scores.</param>
/// <param name="Accepted">The decision; null without a threshold.</param>
/// <param name="Threshold">What the score must reach; null where there is none.</param>
internal sealed record VerifiedAnswer(string Id, float Score, bool? Accepted, double? Threshold);

/// <summary>One of the nearest speakers.</summary>
/// <param name="Id">Name.</param>
/// <param name="Score">Cosine, −1 to 1; normalized where the model's calibration is of normalized scores.</param>
/// <param name="Accepted">Whether the score reaches the threshold; null without one.</param>
internal sealed record MatchAnswer(string Id, float Score, bool? Accepted);

/// <summary>JSON without reflection: starts faster, and can be trimmed.</summary>
[JsonSerializable(typeof(SpeakersAnswer))]
[JsonSerializable(typeof(EnrolledAnswer))]
[JsonSerializable(typeof(VerifiedAnswer))]
[JsonSerializable(typeof(MatchAnswer[]))]
[JsonSerializable(typeof(ProblemDetails))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
internal sealed partial class AnswerJson : JsonSerializerContext;
