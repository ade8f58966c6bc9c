using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>A row of a grid in one seed.</summary>
/// <param name="System">The system of its first column.</param>
/// <param name="Row">Its name.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Quantities">Of the row, such as the measures of its labels.</param>
/// <param name="Eers">EER by column; NaN where the run is missing.</param>
public sealed record GridRow(ExperimentSystem System, string Row, ulong Seed, IReadOnlyDictionary<string, double> Quantities, IReadOnlyList<double> Eers);

/// <summary>Pearson's correlation with an interval over rows.</summary>
/// <param name="Value">r, −1 to 1; NaN where it is not defined.</param>
/// <param name="Interval">95 %, from bootstrap draws of the rows; null where it is not defined.</param>
public readonly record struct Correlation(double Value, Interval? Interval);

/// <summary>Correlations of some rows of a grid.</summary>
/// <param name="Title">Which rows.</param>
/// <param name="Rows">How many, over all seeds.</param>
/// <param name="Targets">What predictors are correlated with: the EERs of columns, then of groups, then gains.</param>
/// <param name="Table">By predictor and target.</param>
public sealed record CorrelationTable(string Title, int Rows, IReadOnlyList<string> Targets, IReadOnlyList<IReadOnlyList<Correlation>> Table);

/// <summary>A claim about the rows of a grid, judged.</summary>
/// <param name="Claim">The claim.</param>
/// <param name="Verdict">By the interval over rows.</param>
/// <param name="Value">Of a predictor: size of its correlation minus that of the best other; of columns: difference of their mean EERs.</param>
/// <param name="Interval">95 %, from bootstrap draws of the rows; null where there are too few.</param>
/// <param name="Rows">How many rows.</param>
public sealed record GridClaimFindings(GridClaim Claim, Verdict Verdict, double Value, Interval? Interval, int Rows);

/// <summary>What a grid found on one corpus.</summary>
/// <param name="Grid">Its declaration.</param>
/// <param name="Rows">Row by row and seed by seed.</param>
/// <param name="Correlations">All rows, then each split with four rows or more; empty without predictors.</param>
/// <param name="Claims">The claims.</param>
public sealed record GridFindings(ExperimentGrid Grid, IReadOnlyList<GridRow> Rows, IReadOnlyList<CorrelationTable> Correlations, IReadOnlyList<GridClaimFindings> Claims);
