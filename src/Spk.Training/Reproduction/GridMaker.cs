using Spk.Engine.Numerics;
using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>Puts finished runs into their grid, correlates and judges.</summary>
internal static class GridMaker
{
    // Fewer rows have no correlation worth a number.
    private const int FewestRows = 4;
    private const int Draws = 1000;

    public static GridFindings? Make(ExperimentGrid? grid, IEnumerable<RunFindings> runs)
    {
        if (grid is null)
        {
            return null;
        }

        // A quick run leaves out columns, and what is said of them.
        runs = [.. runs];
        var present = runs.Select(r => r.Run.System.Cell?.Column).OfType<string>().ToHashSet(StringComparer.Ordinal);
        grid = grid with
        {
            Columns = [.. grid.Columns.Where(present.Contains)],
            Groups = [.. grid.Groups.Where(g => g.Columns.Any(present.Contains))],
            Claims = [.. grid.Claims.Where(c => present.Contains(c.Column) && (c.Than is null || present.Contains(c.Than)))],
        };
        GridRow[] rows =
        [
            .. runs.Where(r => r.Run.System.Cell is not null).GroupBy(r => (r.Run.System.Cell!.Value.Row, r.Run.Seed)).Select(group =>
            {
                var byColumn = group.ToDictionary(r => r.Run.System.Cell!.Value.Column, StringComparer.Ordinal);
                var first = group.First();
                return new GridRow(
                    first.Run.System, group.Key.Row, group.Key.Seed, first.Figures.Quantities,
                    [.. grid.Columns.Select(c => byColumn.TryGetValue(c, out var run) ? run.Evaluation.Eer : double.NaN)]);
            }),
        ];
        if (rows.Length == 0)
        {
            return null;
        }

        var tables = new List<CorrelationTable>();
        if (grid.Predictors.Count > 0)
        {
            tables.Add(Correlate(grid, "all", rows));
            tables.AddRange(grid.Splits.Select(s => (s.Title, Rows: Part(rows, s))).Where(p => p.Rows.Length >= FewestRows).Select(p => Correlate(grid, p.Title, p.Rows)));
        }

        return new GridFindings(grid, rows, tables, [.. grid.Claims.Select(c => Judge(grid, c, rows))]);
    }

    /// <summary>Pearson's r over the pairs in which both are finite; NaN with fewer than three or where one does not vary.</summary>
    internal static double Pearson(IReadOnlyList<double> x, IReadOnlyList<double> y)
    {
        double meanX = 0, meanY = 0;
        int count = 0;
        for (int i = 0; i < x.Count; i++)
        {
            if (double.IsFinite(x[i]) && double.IsFinite(y[i]))
            {
                (meanX, meanY, count) = (meanX + x[i], meanY + y[i], count + 1);
            }
        }

        (meanX, meanY) = (meanX / count, meanY / count);
        double xx = 0, yy = 0, xy = 0;
        for (int i = 0; i < x.Count; i++)
        {
            if (double.IsFinite(x[i]) && double.IsFinite(y[i]))
            {
                double dx = x[i] - meanX, dy = y[i] - meanY;
                (xx, yy, xy) = (xx + (dx * dx), yy + (dy * dy), xy + (dx * dy));
            }
        }

        return count < 3 || xx <= 1e-24 || yy <= 1e-24 ? double.NaN : xy / Math.Sqrt(xx * yy);
    }

    /// <summary>95 % of what a statistic is over bootstrap draws; rows of one name, which differ by seed only, are drawn together.</summary>
    internal static Interval? Bootstrap(IReadOnlyList<GridRow> rows, Func<IReadOnlyList<GridRow>, double> statistic)
    {
        GridRow[][] names = [.. rows.GroupBy(r => r.Row, StringComparer.Ordinal).Select(g => g.ToArray())];
        if (names.Length < FewestRows)
        {
            return null;
        }

        var values = new List<double>(Draws);
        for (int draw = 0; draw < Draws; draw++)
        {
            var random = new CounterRandom(0, RandomPurpose.Bootstrap, draw);
            var drawn = new List<GridRow>(rows.Count);
            for (int i = 0; i < names.Length; i++)
            {
                drawn.AddRange(names[random.NextInt(names.Length)]);
            }

            if (statistic(drawn) is var value && double.IsFinite(value))
            {
                values.Add(value);
            }
        }

        // Draws in which nothing varies have no statistic; where most are so, neither has the interval.
        if (values.Count < Draws / 2)
        {
            return null;
        }

        values.Sort();
        return new Interval(values[(int)(0.025 * (values.Count - 1))], values[(int)Math.Ceiling(0.975 * (values.Count - 1))]);
    }

    private static GridRow[] Part(GridRow[] rows, GridSplit split) => [.. rows.Where(r => split.Holds(r.System, r.Quantities))];

    private static CorrelationTable Correlate(ExperimentGrid grid, string title, GridRow[] rows)
    {
        (string Title, Func<GridRow, double> Value)[] targets =
        [
            .. grid.Columns.Select((c, i) => (c, (Func<GridRow, double>)(r => r.Eers[i]))),
            .. grid.Groups.Select(g => ($"min({g.Title})", (Func<GridRow, double>)(r => Lowest(grid, g, r)))),

            // What mixing gains against the first column.
            .. grid.Groups.Where(g => !g.Columns.Contains(grid.Columns[0])).Select(g => ($"gain of {g.Title}", (Func<GridRow, double>)(r => r.Eers[0] - Lowest(grid, g, r)))),
        ];
        return new CorrelationTable(title, rows.Length, [.. targets.Select(t => t.Title)], [.. grid.Predictors.Select(p => (IReadOnlyList<Correlation>)
        [
            .. targets.Select(t =>
            {
                double R(IReadOnlyList<GridRow> of) => Pearson([.. of.Select(r => Quantity(r, p))], [.. of.Select(t.Value)]);
                return new Correlation(R(rows), Bootstrap(rows, R));
            }),
        ])]);
    }

    private static GridClaimFindings Judge(ExperimentGrid grid, GridClaim claim, GridRow[] all)
    {
        var rows = claim.Split is null ? all : Part(all, grid.Splits.First(s => s.Title == claim.Split));
        int column = Index(grid, claim.Column);
        Func<IReadOnlyList<GridRow>, double> statistic;
        if (claim.Predictor is { } predictor)
        {
            Measure[] others = [.. grid.Predictors.Where(p => p != predictor)];
            double Size(IReadOnlyList<GridRow> of, Measure p) => Math.Abs(Pearson([.. of.Select(r => Quantity(r, p))], [.. of.Select(r => r.Eers[column])]));
            statistic = of => Size(of, predictor) - others.Select(p => Size(of, p)).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Max();
        }
        else
        {
            int than = Index(grid, claim.Than!);
            statistic = of => of.Select(r => r.Eers[column] - r.Eers[than]).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Average();
        }

        var interval = rows.Length == 0 ? null : Bootstrap(rows, statistic);

        // A predictor should be ahead, a column's EER below.
        var verdict = interval is not { } ends || (ends.Low <= 0 && ends.High >= 0) ? Verdict.Inconclusive
            : ends.Low > 0 == (claim.Predictor is not null) ? Verdict.Reproduced : Verdict.NotReproduced;
        return new GridClaimFindings(claim, verdict, rows.Length == 0 ? double.NaN : statistic(rows), interval, rows.Length);
    }

    private static double Quantity(GridRow row, Measure measure) => row.Quantities.TryGetValue(measure.Key, out double value) ? value : double.NaN;

    private static double Lowest(ExperimentGrid grid, GridGroup group, GridRow row) =>
        group.Columns.Where(grid.Columns.Contains).Select(c => row.Eers[Index(grid, c)]).Where(double.IsFinite).DefaultIfEmpty(double.NaN).Min();

    private static int Index(ExperimentGrid grid, string column) => grid.Columns.ToList().IndexOf(column);
}
