namespace Spk.Training.Reproduction;

/// <summary>Where and how an experiment is carried out.</summary>
public sealed record ExperimentOptions
{
    /// <summary>Folder of its corpora, runs and pages.</summary>
    public required string Folder { get; init; }

    /// <summary>Folder of a corpus at hand, with <c>train.csv</c> and <c>trials.txt</c>; null for synthetic corpora only.</summary>
    public string? Data { get; init; }

    /// <summary>Names of the corpora to use; empty for all.</summary>
    public IReadOnlyList<string> Corpora { get; init; } = [];

    /// <summary>Seeds; empty for those of the experiment.</summary>
    public IReadOnlyList<ulong> Seeds { get; init; } = [];

    /// <summary>Smaller corpora, fewer epochs, systems and seeds: to see that everything works, and roughly where it goes.</summary>
    public bool Quick { get; init; }

    /// <summary>Assignments laid over the recipes of all systems.</summary>
    public IReadOnlyList<string> Overrides { get; init; } = [];
}
