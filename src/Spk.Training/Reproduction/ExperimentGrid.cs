namespace Spk.Training.Reproduction;

/// <summary>Where in a grid a system stands.</summary>
/// <param name="Row">Such as a set of pseudo-labels.</param>
/// <param name="Column">Such as a kind of regularisation.</param>
public readonly record struct GridCell(string Row, string Column);

/// <summary>Some of the rows of a grid.</summary>
/// <param name="Title">What they are.</param>
/// <param name="Holds">Whether a row with these quantities belongs to them; quantities are those of its first column's run.</param>
public sealed record GridSplit(string Title, Func<ExperimentSystem, IReadOnlyDictionary<string, double>, bool> Holds);

/// <summary>Several columns as one: the lowest EER among them.</summary>
/// <param name="Title">What the page calls it.</param>
/// <param name="Columns">The columns.</param>
public sealed record GridGroup(string Title, params IReadOnlyList<string> Columns);

/// <summary>A claim about the rows of a grid.</summary>
/// <param name="Statement">The claim in words.</param>
/// <param name="Predictor">That the size of its correlation with the EER of <paramref name="Column"/> is the largest; null for a comparison of columns.</param>
/// <param name="Column">The column that the claim is about.</param>
/// <param name="Than">Without predictor: the column whose EER is higher.</param>
/// <param name="Split">Title of the split that the claim is about; null for all rows.</param>
public sealed record GridClaim(string Statement, string Column, Measure? Predictor = null, string? Than = null, string? Split = null);

/// <summary>Systems that stand in rows and columns: a table of their EERs and, where rows have quantities, what correlates with them.</summary>
public sealed record ExperimentGrid
{
    /// <summary>What the rows are.</summary>
    public required string Rows { get; init; }

    /// <summary>The columns, in order.</summary>
    public required IReadOnlyList<string> Columns { get; init; }

    /// <summary>Quantities of the rows whose correlation with the EER is shown; none for a table only.</summary>
    public IReadOnlyList<Measure> Predictors { get; init; } = [];

    /// <summary>Columns taken together, beside each on its own.</summary>
    public IReadOnlyList<GridGroup> Groups { get; init; } = [];

    /// <summary>Parts of the rows to look at alone.</summary>
    public IReadOnlyList<GridSplit> Splits { get; init; } = [];

    /// <summary>Claims about the rows together.</summary>
    public IReadOnlyList<GridClaim> Claims { get; init; } = [];
}
