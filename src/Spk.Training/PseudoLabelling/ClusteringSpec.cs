namespace Spk.Training.PseudoLabelling;

/// <summary>What embeddings go through before they are clustered.</summary>
public enum RowNormalization
{
    /// <summary>Unit length, row by row: clusters are compared by cosine.</summary>
    UnitLength,

    /// <summary>Mean 0 and deviation 1, element by element: clusters are compared by Euclidean distance.</summary>
    Standardized,
}

/// <summary>How pseudo-labels are made of embeddings.</summary>
public sealed record ClusteringSpec
{
    /// <summary>One of <see cref="ClusteringMethods.Names"/>.</summary>
    public string Method { get; init; } = "kmeans";

    /// <summary>K, clusters; several times the number of speakers does less harm than too few.</summary>
    public int Clusters { get; init; } = 1000;

    /// <summary>What rows go through before.</summary>
    public RowNormalization Normalization { get; init; }

    /// <summary>Independent starts of k-means, of which the best is kept.</summary>
    public int Restarts { get; init; } = 5;

    /// <summary>Clusters of k-means that method <c>pseudo</c> joins to K; 0 for 5 K.</summary>
    public int FirstClusters { get; init; }
}
