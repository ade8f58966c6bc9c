using System.Text.RegularExpressions;
using Spk.Engine.Scoring;
using Spk.Interop;

namespace Spk.Training.Evaluation;

/// <summary>Settings of an evaluation.</summary>
public sealed record EvaluationOptions
{
    /// <summary>
    /// Regular expression applied to the enrolment id; its first group, or the whole match without one, names the group of the
    /// trial, and trials it does not match form the group "other". Null: the leading letters of the speaker's folder.
    /// </summary>
    public string? GroupBy { get; init; }

    /// <summary>Bootstrap draws for the confidence intervals; 0 leaves the intervals out.</summary>
    public int BootstrapDraws { get; init; } = 1000;

    /// <summary>Probability that an interval covers, in (0, 1).</summary>
    public double Confidence { get; init; } = 0.95;

    /// <summary>Seed of the bootstrap.</summary>
    public ulong Seed { get; init; } = 1;

    /// <summary>Speaker of an utterance id; null reads it off the path (<see cref="SpeakerFolders.Speaker"/>).</summary>
    public Func<string, string>? SpeakerOf { get; init; }

    /// <summary>A stored calibration to apply to the scores; null for none.</summary>
    public Calibration? Calibration { get; init; }

    internal void Validate()
    {
        if (BootstrapDraws is < 0 or > 1_000_000)
        {
            throw new InvalidOptionException($"bootstrapDraws is {BootstrapDraws}: allowed are 0 (no intervals) to 1000000.");
        }

        if (!(Confidence is > 0 and < 1))
        {
            throw new InvalidOptionException($"confidence is {Confidence}: allowed is a fraction between 0 and 1, such as 0.95.");
        }
    }

    internal string Speaker(string utterance) => SpeakerOf is null ? SpeakerFolders.Speaker(utterance) : SpeakerOf(utterance);

    internal Func<string, string> Grouping()
    {
        if (GroupBy is null)
        {
            return SpeakerFolders.Group;
        }

        try
        {
            var pattern = new Regex(GroupBy, RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));
            return id => pattern.Match(id) is { Success: true } match ? match.Groups[match.Groups.Count > 1 ? 1 : 0].Value : "other";
        }
        catch (ArgumentException error)
        {
            throw new InvalidOptionException($"groupBy '{GroupBy}' is not a regular expression: {error.Message}", error);
        }
    }
}
