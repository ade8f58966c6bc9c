using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>What an experiment found.</summary>
/// <param name="Experiment">The experiment.</param>
/// <param name="Corpora">Its findings, corpus by corpus.</param>
public sealed record Findings(Experiment Experiment, IReadOnlyList<CorpusFindings> Corpora);

/// <summary>What an experiment found on one corpus.</summary>
/// <param name="Corpus">The corpus.</param>
/// <param name="Root">Where it lies.</param>
/// <param name="Voices">What it holds, where it was made for the experiment; else null.</param>
/// <param name="Systems">The systems with at least one finished run.</param>
/// <param name="Claims">The claims whose systems have at least one finished seed in common.</param>
/// <param name="Gains">What the alignments recover, in the experiment's error rates.</param>
public sealed record CorpusFindings(
    ExperimentCorpus Corpus,
    string Root,
    string? Voices,
    IReadOnlyList<SystemFindings> Systems,
    IReadOnlyList<ClaimFindings> Claims,
    IReadOnlyList<GainFindings> Gains)
{
    /// <summary>What the experiment's grid shows; null for none.</summary>
    public GridFindings? Grid { get; init; }

    /// <summary>1 − EER / EER of the baseline, of the means over seeds; NaN where one of them has no finished run.</summary>
    /// <param name="cell">The two systems.</param>
    public double Reduction(ReductionCell cell)
    {
        double Eer(string name) => Systems.FirstOrDefault(s => s.System.Name == name)?.Mean(Measure.Eer) ?? double.NaN;
        return cell.System == cell.Baseline ? 0 * Eer(cell.System) : 1 - (Eer(cell.System) / Eer(cell.Baseline));
    }
}

/// <summary>What an alignment recovers of its runtime system's gain over its enrolment system.</summary>
/// <param name="System">The alignment.</param>
/// <param name="Measure">The error rate.</param>
/// <param name="Gain">Over seeds.</param>
public sealed record GainFindings(ExperimentSystem System, Measure Measure, RecoveredGain Gain);

/// <summary>The finished runs of a system.</summary>
/// <param name="System">The system.</param>
/// <param name="Runs">A run for each seed.</param>
public sealed record SystemFindings(ExperimentSystem System, IReadOnlyList<RunFindings> Runs)
{
    /// <summary>Mean of a measure over the seeds; NaN where a run lacks it.</summary>
    /// <param name="measure">The measure.</param>
    public double Mean(Measure measure) => Runs.Average(r => r.Value(measure));
}

/// <summary>What one run measured.</summary>
/// <param name="Run">The run.</param>
/// <param name="Evaluation">Its error rates.</param>
/// <param name="Scores">Its measures of <see cref="Measure.OfScores"/>, by key.</param>
/// <param name="Figures">What it left besides.</param>
public sealed record RunFindings(SystemRun Run, EvaluationResult Evaluation, IReadOnlyDictionary<string, double> Scores, RunFigures Figures)
{
    /// <summary>A measure; NaN where the run lacks it.</summary>
    /// <param name="measure">The measure.</param>
    public double Value(Measure measure)
    {
        ArgumentNullException.ThrowIfNull(measure);
        return (measure.Score is null ? Figures.Quantities : Scores).TryGetValue(measure.Key, out double value) ? value : double.NaN;
    }
}

/// <summary>What a corpus says about a claim.</summary>
/// <param name="Claim">The claim.</param>
/// <param name="Verdict">The verdict over all seeds.</param>
/// <param name="Comparison">The system minus the one it is compared with, over seeds; null for quantities and limits.</param>
/// <param name="Seeds">Seed by seed.</param>
/// <param name="Groups">The same comparison on each source of trials alone; empty where there is one source.</param>
public sealed record ClaimFindings(
    Claim Claim, Verdict Verdict, SystemComparison? Comparison, IReadOnlyList<SeedFindings> Seeds, IReadOnlyList<GroupFindings> Groups)
{
    /// <summary>The recovered gain over seeds, where the claim is about one.</summary>
    public RecoveredGain? Gain { get; init; }

    /// <summary>Interval of <see cref="Value"/> − <see cref="Reference"/> over speakers; null where there is none.</summary>
    public Interval? Interval => Comparison?.Interval ?? (Gain?.Interval is { } ends ? new Interval(ends.Low - Claim.Limit, ends.High - Claim.Limit) : null);

    /// <summary>The system's mean over seeds.</summary>
    public double Value => Gain?.Share ?? Seeds.Average(s => s.Value);

    /// <summary>What it is compared with: the other system's mean, or the limit.</summary>
    public double Reference => Seeds.Average(s => s.Reference);
}

/// <summary>A claim on one seed.</summary>
/// <param name="Seed">The seed.</param>
/// <param name="Value">The system's measure.</param>
/// <param name="Reference">The other system's measure, or the limit.</param>
/// <param name="Interval">Interval of the difference over speakers; null where there is none.</param>
public sealed record SeedFindings(ulong Seed, double Value, double Reference, Interval? Interval)
{
    /// <summary>The system minus what it is compared with.</summary>
    public double Difference => Value - Reference;
}

/// <summary>A claim on the trials of one source.</summary>
/// <param name="Name">The source: leading letters of the speakers' folders.</param>
/// <param name="Comparison">Over seeds.</param>
/// <param name="Verdict">By the same rule.</param>
public sealed record GroupFindings(string Name, SystemComparison Comparison, Verdict Verdict);
