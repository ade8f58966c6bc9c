using Spk.Training.PseudoLabelling;

namespace Spk.Training.Recipes;

/// <summary>What the encoder of a round starts from.</summary>
public enum RoundStart
{
    /// <summary>Random weights, the same in every round.</summary>
    Scratch,

    /// <summary>The encoder that made the labels.</summary>
    Previous,
}

/// <summary>Rounds of pseudo-label training: embed, cluster, train, and again with the better embeddings.</summary>
public sealed record RoundsSection
{
    /// <summary>How many; 0 where the recipe has none.</summary>
    public int Count { get; init; }

    /// <summary>Run folder, checkpoint or model file whose embeddings give the first labels, relative to the working directory.</summary>
    public string? Model { get; init; }

    /// <summary>What the encoder of every round starts from.</summary>
    public RoundStart Start { get; init; }

    /// <summary>How labels are made.</summary>
    public ClusteringSpec Clustering { get; init; } = new();
}
