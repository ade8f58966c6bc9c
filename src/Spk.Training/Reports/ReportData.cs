using Spk.Training.Evaluation;

namespace Spk.Training.Reports;

/// <summary>A line of a table: what it is and its value, ready to read.</summary>
/// <param name="Name">Name.</param>
/// <param name="Value">Value with unit.</param>
public readonly record struct ReportField(string Name, string Value);

/// <summary>A point of a curve; points that are not finite are left out.</summary>
/// <param name="X">Step or epoch.</param>
/// <param name="Y">Value.</param>
public readonly record struct ReportPoint(double X, double Y);

/// <summary>A curve.</summary>
/// <param name="Name">Name in the legend.</param>
/// <param name="Points">Points by rising X.</param>
public sealed record ReportSeries(string Name, IReadOnlyList<ReportPoint> Points);

/// <summary>A line chart.</summary>
/// <param name="Title">Title.</param>
/// <param name="XLabel">What the abscissa is.</param>
/// <param name="Series">Curves, at most about six.</param>
/// <param name="Percent">Whether values are fractions to be shown in per cent.</param>
/// <param name="Caption">A sentence below the chart; null for none.</param>
public sealed record ReportChart(string Title, string XLabel, IReadOnlyList<ReportSeries> Series, bool Percent = false, string? Caption = null);

/// <summary>What a report shows. Everything but the title may be missing, and is then left out of the page.</summary>
public sealed record ReportData
{
    /// <summary>Title of the page, such as the name of the run.</summary>
    public required string Title { get; init; }

    /// <summary>A line below the title.</summary>
    public string? Subtitle { get; init; }

    /// <summary>Facts of the run: recipe, device, parameters, duration, seed, trial list.</summary>
    public IReadOnlyList<ReportField> Summary { get; init; } = [];

    /// <summary>Sentences that a reader must not miss: a collapse, an early stop, zero embeddings.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>The evaluation of the untrained encoder, or of another system to compare with.</summary>
    public EvaluationResult? Before { get; init; }

    /// <summary>What <see cref="Before"/> is called.</summary>
    public string BeforeName { get; init; } = "before training";

    /// <summary>The evaluation the report is about.</summary>
    public EvaluationResult? After { get; init; }

    /// <summary>What <see cref="After"/> is called.</summary>
    public string AfterName { get; init; } = "after training";

    /// <summary>Training loss by step.</summary>
    public IReadOnlyList<ReportPoint> Loss { get; init; } = [];

    /// <summary>Learning rate by step.</summary>
    public IReadOnlyList<ReportPoint> LearningRate { get; init; } = [];

    /// <summary>Equal error rates (fractions) by epoch: one curve for each list or group.</summary>
    public IReadOnlyList<ReportSeries> EerByEpoch { get; init; } = [];

    /// <summary>Further line charts, in order.</summary>
    public IReadOnlyList<ReportChart> Charts { get; init; } = [];

    /// <summary>Embeddings on a plane (<see cref="EmbeddingMap"/>).</summary>
    public IReadOnlyList<MapPoint> Map { get; init; } = [];

    /// <summary>How <see cref="Map"/> was made, for its caption.</summary>
    public string MapMethod { get; init; } = "t-SNE";

    /// <summary>The resolved recipe, shown as text at the end.</summary>
    public string? Recipe { get; init; }
}
