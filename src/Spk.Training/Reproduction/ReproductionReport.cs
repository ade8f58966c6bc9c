using System.Globalization;
using Spk.Training.Evaluation;
using Spk.Training.Reports;

namespace Spk.Training.Reproduction;

/// <summary>The page of an experiment: verdicts first, then figures system by system, then how it was made.</summary>
internal static class ReproductionReport
{
    private const string Dash = "–";

    /// <summary>Makes the page.</summary>
    /// <param name="findings">What was found.</param>
    /// <param name="command">The command that makes it again.</param>
    public static ReportDocument Make(Findings findings, string command)
    {
        var experiment = findings.Experiment;
        var page = new ReportDocument(experiment.Title, experiment.Paper);
        page.Section("Claims").Paragraph(experiment.Summary);
        Verdicts(page, findings);
        page.Paragraph(VerdictRule.InWords, quiet: true);
        foreach (var corpus in findings.Corpora)
        {
            Corpus(page, findings.Experiment, corpus);
        }

        page.Section("How it was made").Code(command, "sh");
        Runs(page, findings);
        return page;
    }

    /// <summary>A measure as the page prints it.</summary>
    internal static string Text(Measure measure, double value) =>
        double.IsNaN(value) ? Dash : measure.IsPercent ? Format.Percent(value, 2) : Format.Fixed(value);

    /// <summary>A difference of measures, with its sign.</summary>
    internal static string Signed(Measure measure, double value) => double.IsNaN(value)
        ? Dash
        : (value > 0 ? "+" : "") + Text(measure, value).Replace('-', '−');

    private static string Text(Measure measure, Interval? interval) =>
        interval is { } ends ? $"{Signed(measure, ends.Low)} to {Signed(measure, ends.High)}" : Dash;

    internal static ReportCell Cell(Verdict verdict) => new(verdict.ToText(), verdict switch
    {
        Verdict.Reproduced => CellStyle.Yes,
        Verdict.NotReproduced => CellStyle.No,
        _ => CellStyle.Open,
    });

    private static void Verdicts(ReportDocument page, Findings findings)
    {
        Claim[] claims = [.. findings.Experiment.Claims.Where(c => findings.Corpora.Any(k => k.Claims.Any(f => f.Claim == c)))];
        GridClaim[] ofRows = [.. (findings.Experiment.Grid?.Claims ?? []).Where(c => findings.Corpora.Any(k => k.Grid is not null))];
        page.Table(
            ["", "claim", .. findings.Corpora.Select(c => c.Corpus.Name)],
            [
                .. claims.Select((claim, i) => (IReadOnlyList<ReportCell>)
                [
                    ReportCell.Number((i + 1).ToString(CultureInfo.InvariantCulture)),
                    claim.Statement,
                    .. findings.Corpora.Select(c => c.Claims.FirstOrDefault(f => f.Claim == claim) is { } found ? Cell(found.Verdict) : new ReportCell(Dash, CellStyle.Open)),
                ]),
                .. ofRows.Select((claim, i) => (IReadOnlyList<ReportCell>)
                [
                    ReportCell.Number((claims.Length + i + 1).ToString(CultureInfo.InvariantCulture)),
                    claim.Statement,
                    .. findings.Corpora.Select(c => c.Grid?.Claims.FirstOrDefault(f => f.Claim == claim) is { } found ? Cell(found.Verdict) : new ReportCell(Dash, CellStyle.Open)),
                ]),
            ]);
    }

    private static void Corpus(ReportDocument page, Experiment experiment, CorpusFindings corpus)
    {
        var any = corpus.Systems[0].Runs[0].Evaluation;
        string seeds = string.Join(", ", corpus.Systems.SelectMany(s => s.Runs).Select(r => r.Run.Seed).Distinct().Order());
        page.Section($"{char.ToUpperInvariant(corpus.Corpus.Name[0])}{corpus.Corpus.Name[1..]}: {corpus.Corpus.Description}").Paragraph(
            (corpus.Voices is { } voices ? voices + ". " : $"{Path.GetFileName(Path.TrimEndingDirectorySeparator(corpus.Root))}. ")
            + (experiment.EnrolmentUtterances > 0 ? $"Profiles of {experiment.EnrolmentUtterances} utterances against all others: " : "")
            + $"{Format.Whole(any.Trials)} trials, {Format.Whole(any.Targets)} of them of one speaker, {Format.Whole(any.Speakers)} speakers; seeds {seeds}; recipe {corpus.Corpus.Recipe}.");
        Reductions(page, experiment, corpus);
        Systems(page, experiment, corpus);
        GainTable(page, corpus);
        ClaimTable(page, corpus);
        if (corpus.Grid is { } grid)
        {
            GridReport.Write(page, grid);
        }

        Sources(page, corpus);
        page.Figures(Pictures(corpus));
    }

    // In the layout of the paper, per cent; a baseline shows 0 and its error rate.
    private static void Reductions(ReportDocument page, Experiment experiment, CorpusFindings corpus)
    {
        foreach (var grid in experiment.Reductions.Where(g => g.Rows.Any(r => r.Cells.Any(c => !double.IsNaN(corpus.Reduction(c))))))
        {
            page.Paragraph(grid.Title).Table(
                [grid.Corner, .. grid.Columns],
                [.. grid.Rows.Select(row => (IReadOnlyList<ReportCell>)[row.Title, .. row.Cells.Select(c => ReportCell.Number(Text(c)))])]);
        }

        string Text(ReductionCell cell) => corpus.Reduction(cell) is var reduction && double.IsNaN(reduction) ? Dash
            : cell.System == cell.Baseline ? $"0 (EER {ReproductionReport.Text(Measure.Eer, corpus.Systems.First(s => s.System.Name == cell.System).Mean(Measure.Eer))})"
            : (reduction > 0 ? "+" : "") + Format.Fixed(100 * reduction, 1).Replace('-', '−');
    }

    private static void Systems(ReportDocument page, Experiment experiment, CorpusFindings corpus)
    {
        SystemFindings[] shown = Shown(corpus);
        if (shown.Length == 0)
        {
            return;
        }

        page.Table(
            ["system", "EER by seed", .. experiment.Measures.Select(m => m.Title)],
            [
                .. shown.Select(s => (IReadOnlyList<ReportCell>)
                [
                    s.System.Title,
                    ReportCell.Number(string.Join(" / ", s.Runs.Select(r => Format.Fixed(100 * r.Evaluation.Eer, 2)))),
                    .. experiment.Measures.Select(m => ReportCell.Number(Text(m, s.Mean(m)))),
                ]),
            ]);
        page.Paragraph(
            experiment.Measures.Contains(Measure.ScatterRatio) ? "Means over seeds. False negatives and positives are counted at each run's own threshold of equal error. "
            + "The scatter ratio is (1 − cosine of the same speaker) / (1 − cosine of different speakers): lower is more compact." : "Means over seeds.",
            quiet: true);

        // What no run has is left out, such as channels where sessions have none.
        Measure[] quantities =
        [
            .. corpus.Claims.Select(c => c.Claim.Measure).Where(m => m.Score is null).Concat(experiment.Quantities).Distinct()
                .Where(m => shown.Any(s => !double.IsNaN(s.Mean(m)))),
        ];
        if (quantities.Length > 0)
        {
            page.Table(
                ["system", .. quantities.Select(m => m.Title)],
                [
                    .. shown.Where(s => quantities.Any(m => !double.IsNaN(s.Mean(m))))
                        .Select(s => (IReadOnlyList<ReportCell>)[s.System.Title, .. quantities.Select(m => ReportCell.Number(Text(m, s.Mean(m))))]),
                ]);
        }
    }

    private static void GainTable(ReportDocument page, CorpusFindings corpus)
    {
        if (corpus.Gains.Count == 0)
        {
            return;
        }

        Measure[] measures = [.. corpus.Gains.Select(g => g.Measure).Distinct()];
        page.Paragraph("Recovered gain, (old − aligned) / (old − new), with its interval over speakers: 100 % is as good as the new system on both sides.").Table(
            ["system", .. measures.Select(m => m.Title)],
            [
                .. corpus.Gains.GroupBy(g => g.System).Select(s => (IReadOnlyList<ReportCell>)
                [
                    s.Key.Title, .. s.Select(g => ReportCell.Number(Text(g.Gain))),
                ]),
            ]);
    }

    private static string Text(RecoveredGain gain) => double.IsNaN(gain.Share)
        ? Dash
        : Format.Percent(gain.Share, 0) + (gain.Interval is { } ends ? $" ({Format.Percent(ends.Low, 0)} to {Format.Percent(ends.High, 0)})" : "");

    // Systems of a grid have a table of their own.
    private static SystemFindings[] Shown(CorpusFindings corpus) => [.. corpus.Systems.Where(s => !s.System.IsStage && s.System.Cell is null)];

    private static void ClaimTable(ReportDocument page, CorpusFindings corpus) => page.Table(
        ["claim", "measure", "system", "compared with", "difference", "95 % interval", "by seed", "verdict"],
        [
            .. corpus.Claims.Select(f => (IReadOnlyList<ReportCell>)
            [
                f.Claim.Statement,
                (f.Claim.IsGain ? "recovered gain, " : "") + f.Claim.Measure.Title,
                ReportCell.Number(Text(f.Claim.Measure, f.Value)),
                ReportCell.Number((f.Claim.HasLimit ? "limit " : "") + Text(f.Claim.Measure, f.Reference)),
                ReportCell.Number(Signed(f.Claim.Measure, f.Value - f.Reference)),
                ReportCell.Number(Text(f.Claim.Measure, f.Interval)),
                ReportCell.Number(string.Join(" / ", f.Seeds.Select(s => Signed(f.Claim.Measure, s.Difference)))),
                Cell(f.Verdict),
            ]),
        ]);

    private static void Sources(ReportDocument page, CorpusFindings corpus)
    {
        IReadOnlyList<ReportCell>[] rows =
        [
            .. from f in corpus.Claims
               where f.Claim.Measure == Measure.Eer
               from g in f.Groups
               select (IReadOnlyList<ReportCell>)
               [
                   f.Claim.Statement, g.Name, ReportCell.Number(Text(f.Claim.Measure, g.Comparison.Second)), ReportCell.Number(Text(f.Claim.Measure, g.Comparison.First)),
                   ReportCell.Number(Signed(f.Claim.Measure, g.Comparison.Difference)), ReportCell.Number(Text(f.Claim.Measure, g.Comparison.Interval)), Cell(g.Verdict),
               ],
        ];
        if (rows.Length > 0)
        {
            page.Paragraph("The same on the trials of each source alone:").Table(["claim", "source", "system EER", "compared with", "difference", "95 % interval", "verdict"], rows);
        }
    }

    private static IEnumerable<string> Pictures(CorpusFindings corpus)
    {
        SystemFindings[] shown = Shown(corpus);
        foreach (string map in corpus.Grid is { } grid ? GridReport.Pictures(grid) : [])
        {
            yield return map;
        }

        yield return Figures.Dots("Equal error rates", [.. shown.Select(s => (s.System.Name, (IReadOnlyList<double>)[.. s.Runs.Select(r => r.Evaluation.Eer)]))], percent: true);
        yield return Figures.Differences(
            "Differences of the EER, by claim",
            "system minus what it is compared with",
            [
                .. corpus.Claims.Where(f => f.Claim.Measure == Measure.Eer && f.Comparison?.Interval is not null)
                    .Select(f => (f.Claim.Systems.Count == 1 ? f.Claim.Systems[0] : $"{f.Claim.Systems[0]} …", f.Comparison!.Difference, f.Comparison.Interval!.Value)),
            ],
            percent: true);
        foreach (var system in shown)
        {
            yield return Figures.Histogram(system.Runs[0].Evaluation, $"of {system.System.Name}, seed {system.Runs[0].Run.Seed}");
        }
    }

    private static string Origin(ExperimentSystem system) => system switch
    {
        { Continues: { } stage } => $"continues {stage}; ",
        { FineTunes: { } model } => $"fine-tunes {model}; ",
        { Alignment: { } alignment } => $"aligns {alignment.Enrolment} with {alignment.Runtime}; ",
        _ => "",
    };

    private static void Runs(ReportDocument page, Findings findings)
    {
        foreach (var corpus in findings.Corpora)
        {
            RunFindings[] cells = [.. corpus.Systems.Where(s => s.System.Cell is not null).SelectMany(s => s.Runs)];
            if (cells.Length > 0)
            {
                page.Paragraph(
                    $"{corpus.Corpus.Name}: {Format.Whole(cells.Length)} runs of the grid, {Format.Whole(cells[0].Figures.Steps)} steps and {Format.Fixed(cells.Average(r => r.Figures.Seconds), 1)} s each, on {cells[0].Figures.Device}.");
            }
        }

        IReadOnlyList<ReportCell>[] alone =
        [
            .. from corpus in findings.Corpora
               from system in corpus.Systems
               where system.System.Cell is null
               let figures = system.Runs[0].Figures
               select (IReadOnlyList<ReportCell>)
               [
                   corpus.Corpus.Name,
                   system.System.Name,
                   Origin(system.System) + string.Join(" ", system.System.Overrides),
                   ReportCell.Number(Format.Whole(system.Runs.Count)),
                   ReportCell.Number(Format.Whole(figures.Steps)),
                   ReportCell.Number(Format.Whole((long)Math.Round(system.Runs.Average(r => r.Figures.Seconds)))),
                   figures.Device,
               ],
        ];
        if (alone.Length > 0)
        {
            page.Table(["corpus", "system", "differs by", "runs", "steps", "seconds a run", "device"], alone);
        }
    }
}
