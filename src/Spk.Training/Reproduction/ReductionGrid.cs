namespace Spk.Training.Reproduction;

/// <summary>
/// A table of relative EER reductions, 1 − EER / EER of a baseline, in the layout of a paper: what is varied down the rows and along the columns.
/// </summary>
/// <param name="Title">What it shows.</param>
/// <param name="Corner">What the rows are.</param>
/// <param name="Columns">Heads of the columns.</param>
/// <param name="Rows">The rows.</param>
public sealed record ReductionGrid(string Title, string Corner, IReadOnlyList<string> Columns, IReadOnlyList<ReductionRow> Rows);

/// <summary>A row of such a table.</summary>
/// <param name="Title">Its head.</param>
/// <param name="Cells">A cell for each column.</param>
public sealed record ReductionRow(string Title, IReadOnlyList<ReductionCell> Cells);

/// <summary>A cell: a system and the baseline that its error rate is set in relation to; the baseline itself shows 0.</summary>
/// <param name="System">The system.</param>
/// <param name="Baseline">The baseline.</param>
public readonly record struct ReductionCell(string System, string Baseline);
