using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Evaluation;

/// <summary>
/// How much of the way from an old system to a new one is gone where only one side of the comparison is new:
/// (base − asymmetric) / (base − new) of an error rate, such as false rejections at a fixed false acceptance rate. 1 is all of it; below 0 the
/// asymmetric system is worse than the old one.
/// </summary>
/// <param name="Base">The measure of the old system, the mean over its runs.</param>
/// <param name="Asymmetric">The same of the system in question.</param>
/// <param name="New">The same of the new system.</param>
/// <param name="Interval">
/// Confidence interval of <see cref="Share"/> over speakers; draws in which the new system is no better than the old one have no share and are
/// left out. Null without draws, and where these are more than half.
/// </param>
/// <param name="Confidence">Probability that the interval covers.</param>
/// <param name="BootstrapDraws">Draws that have a share.</param>
public sealed record RecoveredGain(double Base, double Asymmetric, double New, Interval? Interval, double Confidence, int BootstrapDraws)
{
    /// <summary>The recovered share; NaN where the new system is no better than the old one.</summary>
    public double Share => Of(Base, Asymmetric, New);

    /// <summary>Measures three systems on the same trials and the same draws of the speakers.</summary>
    /// <param name="trials">The trials of all runs.</param>
    /// <param name="old">Scores of each run of the old system.</param>
    /// <param name="asymmetric">Scores of each run of the asymmetric system.</param>
    /// <param name="newer">Scores of each run of the new system.</param>
    /// <param name="measure">An error rate.</param>
    /// <param name="options">Bootstrap settings; null for the defaults.</param>
    /// <returns>The means over runs, and the interval of the share.</returns>
    /// <exception cref="InvalidOptionException">A system has no run.</exception>
    /// <inheritdoc cref="RankedTrials.Rank" path="/exception"/>
    public static RecoveredGain Run(
        IReadOnlyList<Trial> trials,
        IReadOnlyList<IReadOnlyList<float>> old,
        IReadOnlyList<IReadOnlyList<float>> asymmetric,
        IReadOnlyList<IReadOnlyList<float>> newer,
        ScoreMeasure measure,
        EvaluationOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(trials);
        ArgumentNullException.ThrowIfNull(old);
        ArgumentNullException.ThrowIfNull(asymmetric);
        ArgumentNullException.ThrowIfNull(newer);
        if (old.Count == 0 || asymmetric.Count == 0 || newer.Count == 0)
        {
            throw new InvalidOptionException("a recovered gain needs the scores of at least one run of each of the three systems.");
        }

        options ??= new EvaluationOptions();
        options.Validate();
        bool[] labels = [.. trials.Select(t => t.IsTarget)];
        var bootstrap = new SpeakerBootstrap(trials, options);
        MeasuredScores[] first = Prepare(old), middle = Prepare(asymmetric), last = Prepare(newer);
        var shares = new double[options.BootstrapDraws];
        Parallel.For(
            0,
            shares.Length,
            () => (Multiplicity: new int[bootstrap.Speakers], Weights: new int[trials.Count]),
            (draw, _, scratch) =>
            {
                bootstrap.Draw(draw, scratch.Multiplicity);
                shares[draw] = Of(Mean(first), Mean(middle), Mean(last));
                return scratch;

                double Mean(MeasuredScores[] system) => system.Average(s => s.Draw(scratch.Multiplicity, scratch.Weights));
            },
            _ => { });
        var interval = SpeakerBootstrap.Percentiles(shares, options.Confidence, out int valid);
        return new RecoveredGain(first.Average(s => s.Value), middle.Average(s => s.Value), last.Average(s => s.Value), interval, options.Confidence, valid);

        MeasuredScores[] Prepare(IReadOnlyList<IReadOnlyList<float>> system) =>
            [.. system.Select(scores => new MeasuredScores(RankedTrials.Rank([.. scores], labels), bootstrap, measure))];
    }

    private static double Of(double old, double asymmetric, double newer) => old > newer ? (old - asymmetric) / (old - newer) : double.NaN;
}
