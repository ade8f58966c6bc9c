namespace Spk.Training.Reproduction;

/// <summary>A way of training.</summary>
/// <param name="Name">Short name, also of its folder.</param>
/// <param name="Title">What the page calls it.</param>
/// <param name="Overrides">What distinguishes it: assignments laid over the corpus' recipe, such as "objective.margin=0.1".</param>
public sealed record ExperimentSystem(string Name, string Title, params IReadOnlyList<string> Overrides)
{
    /// <summary>Further assignments of a quick run.</summary>
    public IReadOnlyList<string> QuickOverrides { get; init; } = [];

    /// <summary>A shipped recipe to use instead of the corpus' own; the corpus' overrides are laid over it too.</summary>
    public string? Recipe { get; init; }

    /// <summary>
    /// The system on whose checkpoint of the same seed this one builds, whose recipe and overrides it inherits; null to start from nothing.
    /// The first stage ends with <c>training.stopAfterEpochs</c>, so that the schedules of both stages are one.
    /// </summary>
    public string? Continues { get; init; }

    /// <summary>
    /// The system whose encoder, trained with the same seed, this one starts from: features and encoder are that system's, all else its own
    /// recipe's. Null to start from random weights.
    /// </summary>
    public string? FineTunes { get; init; }

    /// <summary>Instead of a training: two systems before this one, made comparable; null for a training.</summary>
    public ExperimentAlignment? Alignment { get; init; }

    /// <summary>The pseudo-labels it is trained on; null for none.</summary>
    public LabelSource? Labels { get; init; }

    /// <summary>Its place in the experiment's grid; null for a system that stands on its own.</summary>
    public GridCell? Cell { get; init; }

    /// <summary>Whether it is a stage that others continue and no system to compare: it is trained, but has no row in the tables.</summary>
    public bool IsStage { get; init; }

    /// <summary>Whether a quick run has it.</summary>
    public bool InQuick { get; init; } = true;
}
