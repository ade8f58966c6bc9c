namespace Spk.Engine.Scoring;

/// <summary>What a normalized score needs of an enrolment besides its unit embedding e.</summary>
/// <param name="Statistics">What the cohort scores with it.</param>
/// <param name="Length">|e − m|, m the cohort's mean; 1 without centring.</param>
internal readonly record struct ScoredEnrolment(CohortStatistics Statistics, double Length);

/// <summary>What a normalized score needs of a test.</summary>
/// <param name="Query">Its unit embedding, centred where that is asked for.</param>
/// <param name="MeanProduct">Dot product of the query with the cohort's mean; 0 without centring.</param>
/// <param name="Statistics">What the cohort scores with it.</param>
internal readonly record struct ScoredTest(float[] Query, double MeanProduct, CohortStatistics Statistics);
