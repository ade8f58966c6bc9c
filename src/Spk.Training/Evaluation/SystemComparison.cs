using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Evaluation;

/// <summary>
/// The paired difference of two systems on the same trials: both are measured on every bootstrap draw of the speakers, so what
/// makes a draw hard for both cancels.
/// </summary>
/// <param name="First">The measure of the first system, the mean over its runs.</param>
/// <param name="Second">The same for the second system.</param>
/// <param name="Interval">Confidence interval of <see cref="Difference"/>; null without draws.</param>
/// <param name="ShareSecondLower">Share of the draws in which the second system measures lower.</param>
/// <param name="Confidence">Probability that the interval covers.</param>
/// <param name="BootstrapDraws">Draws that held both kinds of trial.</param>
public sealed record SystemComparison(double First, double Second, Interval? Interval, double ShareSecondLower, double Confidence, int BootstrapDraws)
{
    /// <summary>The second system's measure minus the first's: for an error rate negative when the second is better.</summary>
    public double Difference => Second - First;

    /// <summary>Whether the interval excludes 0.</summary>
    public bool IsSignificant => Interval is { } ends && (ends.Low > 0 || ends.High < 0);

    /// <summary>Compares the equal error rates of one run of each of two systems.</summary>
    /// <param name="trials">The trials of both.</param>
    /// <param name="first">Scores of the first system, one per trial.</param>
    /// <param name="second">Scores of the second system, one per trial.</param>
    /// <param name="options">Bootstrap settings; null for the defaults.</param>
    /// <returns>The difference and its interval.</returns>
    /// <inheritdoc cref="RankedTrials.Rank" path="/exception"/>
    public static SystemComparison Run(
        IReadOnlyList<Trial> trials, IReadOnlyList<float> first, IReadOnlyList<float> second, EvaluationOptions? options = null) =>
        Run(trials, [first], [second], ScoreMeasure.Eer, options);

    /// <summary>Compares two systems trained with several seeds each, by the mean of a measure over seeds.</summary>
    /// <param name="trials">The trials of all runs.</param>
    /// <param name="first">Scores of each run of the first system.</param>
    /// <param name="second">Scores of each run of the second system.</param>
    /// <param name="measure">What to compare.</param>
    /// <param name="options">Bootstrap settings; null for the defaults.</param>
    /// <returns>The difference of the means and its interval over speakers.</returns>
    /// <exception cref="InvalidOptionException">A system has no run.</exception>
    /// <inheritdoc cref="RankedTrials.Rank" path="/exception"/>
    public static SystemComparison Run(
        IReadOnlyList<Trial> trials,
        IReadOnlyList<IReadOnlyList<float>> first,
        IReadOnlyList<IReadOnlyList<float>> second,
        ScoreMeasure measure = ScoreMeasure.Eer,
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
        var runs = Prepare(first);
        var others = Prepare(second);

        var differences = new double[options.BootstrapDraws];
        Parallel.For(
            0,
            differences.Length,
            () => (Multiplicity: new int[bootstrap.Speakers], Weights: new int[trials.Count]),
            (draw, _, scratch) =>
            {
                bootstrap.Draw(draw, scratch.Multiplicity);
                differences[draw] = Mean(others) - Mean(runs);
                return scratch;

                double Mean(MeasuredScores[] system) => system.Average(s => s.Draw(scratch.Multiplicity, scratch.Weights));
            },
            _ => { });

        var interval = SpeakerBootstrap.Percentiles(differences, options.Confidence, out int valid);
        double lower = valid == 0 ? 0 : differences.Count(d => d < 0) / (double)valid;
        return new SystemComparison(runs.Average(s => s.Value), others.Average(s => s.Value), interval, lower, options.Confidence, valid);

        MeasuredScores[] Prepare(IReadOnlyList<IReadOnlyList<float>> system) =>
            [.. system.Select(scores => new MeasuredScores(RankedTrials.Rank([.. scores], labels), bootstrap, measure))];
    }
}
