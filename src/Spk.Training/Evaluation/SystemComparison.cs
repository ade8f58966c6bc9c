using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Evaluation;

/// <summary>
/// The paired difference of two systems on the same trials: both are measured on every bootstrap draw of the speakers, so what
/// makes a draw hard for both cancels.
/// </summary>
/// <param name="EerFirst">Equal error rate of the first system, the mean over its runs; a fraction.</param>
/// <param name="EerSecond">The same for the second system.</param>
/// <param name="Interval">Confidence interval of <see cref="Difference"/>; null without draws.</param>
/// <param name="ShareSecondBetter">Share of the draws in which the second system has the lower equal error rate.</param>
/// <param name="Confidence">Probability that the interval covers.</param>
/// <param name="BootstrapDraws">Draws that held both kinds of trial.</param>
public sealed record SystemComparison(double EerFirst, double EerSecond, Interval? Interval, double ShareSecondBetter, double Confidence, int BootstrapDraws)
{
    /// <summary>Equal error rate of the second system minus that of the first: negative when the second is better.</summary>
    public double Difference => EerSecond - EerFirst;

    /// <summary>Whether the interval excludes 0.</summary>
    public bool IsSignificant => Interval is { } ends && (ends.Low > 0 || ends.High < 0);

    /// <summary>Compares one run of each of two systems.</summary>
    /// <param name="trials">The trials of both.</param>
    /// <param name="first">Scores of the first system, one per trial.</param>
    /// <param name="second">Scores of the second system, one per trial.</param>
    /// <param name="options">Bootstrap settings; null for the defaults.</param>
    /// <returns>The difference and its interval.</returns>
    /// <inheritdoc cref="RankedTrials.Rank" path="/exception"/>
    public static SystemComparison Run(
        IReadOnlyList<Trial> trials, IReadOnlyList<float> first, IReadOnlyList<float> second, EvaluationOptions? options = null) =>
        Run(trials, [first], [second], options);

    /// <summary>Compares two systems trained with several seeds each, by the mean equal error rate over seeds.</summary>
    /// <param name="trials">The trials of all runs.</param>
    /// <param name="first">Scores of each run of the first system.</param>
    /// <param name="second">Scores of each run of the second system.</param>
    /// <param name="options">Bootstrap settings; null for the defaults.</param>
    /// <returns>The difference of the means and its interval over speakers.</returns>
    /// <inheritdoc cref="RankedTrials.Rank" path="/exception"/>
    public static SystemComparison Run(
        IReadOnlyList<Trial> trials,
        IReadOnlyList<IReadOnlyList<float>> first,
        IReadOnlyList<IReadOnlyList<float>> second,
        EvaluationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(trials);
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        if (first.Count == 0 || second.Count == 0)
        {
            throw new InvalidOptionException("a comparison needs the scores of at least one run of each system.");
        }

        options ??= new EvaluationOptions();
        options.Validate();
        bool[] labels = [.. trials.Select(t => t.IsTarget)];
        var bootstrap = new SpeakerBootstrap(trials, options);
        var (ranked, samples) = Prepare(first);
        var (otherRanked, otherSamples) = Prepare(second);

        var differences = new double[options.BootstrapDraws];
        Parallel.For(
            0,
            differences.Length,
            () => (Multiplicity: new int[bootstrap.Speakers], Weights: new int[trials.Count]),
            (draw, _, scratch) =>
            {
                bootstrap.Draw(draw, scratch.Multiplicity);
                differences[draw] = Mean(otherSamples) - Mean(samples);
                return scratch;

                double Mean(SpeakerBootstrap.Sample[] systems) => systems.Average(s => s.Rates(scratch.Multiplicity, scratch.Weights, [], []));
            },
            _ => { });

        var interval = SpeakerBootstrap.Percentiles(differences, options.Confidence, out int valid);
        double better = valid == 0 ? 0 : differences.Count(d => d < 0) / (double)valid;
        return new SystemComparison(
            ranked.Average(r => VerificationMetrics.Compute(r).Eer), otherRanked.Average(r => VerificationMetrics.Compute(r).Eer), interval, better, options.Confidence, valid);

        (RankedTrials[] Ranked, SpeakerBootstrap.Sample[] Samples) Prepare(IReadOnlyList<IReadOnlyList<float>> runs)
        {
            RankedTrials[] all = [.. runs.Select(scores => RankedTrials.Rank([.. scores], labels))];
            return (all, [.. all.Select(r => bootstrap.Of(r, null))]);
        }
    }
}
