using Spk.Training.Data;

namespace Spk.Training.Reproduction;

/// <summary>A corpus of an experiment and the recipe that its systems are variations of.</summary>
public sealed record ExperimentCorpus
{
    /// <summary>Short name, also of its folder.</summary>
    public required string Name { get; init; }

    /// <summary>What it is, for the page.</summary>
    public required string Description { get; init; }

    /// <summary>A shipped recipe (<see cref="Recipes.ShippedRecipes"/>), without the ending.</summary>
    public required string Recipe { get; init; }

    /// <summary>Assignments laid over the recipe, such as "training.epochs=40".</summary>
    public IReadOnlyList<string> Overrides { get; init; } = [];

    /// <summary>Further assignments of a quick run.</summary>
    public IReadOnlyList<string> QuickOverrides { get; init; } = [];

    /// <summary>Synthetic voices to make; null for the corpus at hand, that of <c>--data</c>.</summary>
    public SyntheticVoicesSpec? Voices { get; init; }

    /// <summary>Synthetic voices of a quick run; null for <see cref="Voices"/>.</summary>
    public SyntheticVoicesSpec? QuickVoices { get; init; }
}
