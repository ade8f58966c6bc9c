using System.Globalization;
using Spk.Training.Reports;

namespace Spk.Training.Reproduction;

/// <summary>The part of a page that shows a grid: EERs, correlations, claims.</summary>
internal static class GridReport
{
    private const string Dash = "–";

    /// <summary>Adds the tables.</summary>
    public static void Write(ReportDocument page, GridFindings found)
    {
        var grid = found.Grid;
        page.Paragraph($"EER by {grid.Rows} and kind of training, means over seeds; the lowest of each row is bold.").Table(
            [grid.Rows, .. Quantities(found).Select(q => q.Title), .. grid.Columns],
            [
                .. found.Rows.GroupBy(r => r.Row, StringComparer.Ordinal).Select(g => (IReadOnlyList<ReportCell>)
                [
                    g.Key,
                    .. Quantities(found).Select(q => ReportCell.Number(Number(g.Average(r => r.Quantities.GetValueOrDefault(q.Key, double.NaN)), q.IsPercent))),
                    .. Eers([.. g]),
                ]),
            ]);
        foreach (var table in found.Correlations)
        {
            Correlations(page, grid, table);
        }

        if (found.Claims.Count > 0)
        {
            page.Table(
                ["claim", "rows", "difference", "95 % interval", "verdict"],
                [
                    .. found.Claims.Select(c => (IReadOnlyList<ReportCell>)
                    [
                        c.Claim.Statement,
                        ReportCell.Number(Format.Whole(c.Rows)),
                        ReportCell.Number(Difference(c, c.Value)),
                        ReportCell.Number(c.Interval is { } ends ? $"{Difference(c, ends.Low)} to {Difference(c, ends.High)}" : Dash),
                        ReproductionReport.Cell(c.Verdict),
                    ]),
                ]);
            page.Paragraph(
                "Claims about rows: the difference is between sizes of correlations, or between mean EERs; its interval comes from 1,000 bootstrap draws of the rows, seeds of one row together.",
                quiet: true);
        }
    }

    /// <summary>Heat maps of the correlations.</summary>
    public static IEnumerable<string> Pictures(GridFindings found) => found.Correlations.Select(table => HeatMap.Draw(
        $"Correlation with the EER: {table.Title}",
        [.. found.Grid.Predictors.Select(p => p.Title)],
        table.Targets,
        [.. table.Table.Select(row => (IReadOnlyList<double>)[.. row.Select(c => c.Value)])],
        $"Pearson's r over {table.Rows} rows; blue is negative: a better measure goes with a lower EER."));

    private static void Correlations(ReportDocument page, ExperimentGrid grid, CorrelationTable table) => page
        .Paragraph($"Correlation (Pearson's r, 95 % interval) with the EER, {table.Title}: {table.Rows} rows.")
        .Table(
            ["measure", .. table.Targets],
            [
                .. grid.Predictors.Select((p, i) => (IReadOnlyList<ReportCell>)
                [
                    p.Title,
                    .. table.Table[i].Select(c => ReportCell.Number(double.IsNaN(c.Value)
                        ? Dash
                        : Signed(c.Value) + (c.Interval is { } ends ? $" ({Signed(ends.Low)} to {Signed(ends.High)})" : ""))),
                ]),
            ]);

    private static Measure[] Quantities(GridFindings found) =>
        [.. found.Grid.Predictors.Take(3).Where(p => found.Rows.Any(r => r.Quantities.ContainsKey(p.Key)))];

    private static IEnumerable<ReportCell> Eers(GridRow[] rows)
    {
        double[] means = [.. Enumerable.Range(0, rows[0].Eers.Count).Select(i => rows.Average(r => r.Eers[i]))];
        double lowest = means.Where(double.IsFinite).DefaultIfEmpty(double.NaN).Min();
        return means.Select(m => double.IsNaN(m) ? ReportCell.Number(Dash) : new ReportCell(Format.Percent(m, 2), m == lowest ? CellStyle.Yes : CellStyle.Number));
    }

    private static string Difference(GridClaimFindings found, double value) => double.IsNaN(value) ? Dash
        : found.Claim.Predictor is null ? ReproductionReport.Signed(Measure.Eer, value) : Signed(value);

    private static string Number(double value, bool percent) => double.IsNaN(value) ? Dash : percent ? Format.Percent(value) : value.ToString("0.00", CultureInfo.InvariantCulture);

    private static string Signed(double value) => ((value > 0 ? "+" : "") + value.ToString("0.00", CultureInfo.InvariantCulture)).Replace('-', '−');
}
