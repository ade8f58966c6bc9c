using Spk.Engine.Clustering;

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
    public string Method { get; init; } = ClusteringMethods.Default;

    /// <summary>K, clusters; several times the number of speakers does less harm than too few.</summary>
    public int Clusters { get; init; } = 1000;

    /// <summary>What rows go through before.</summary>
    public RowNormalization Normalization { get; init; }

    /// <summary>Independent starts of k-means, of which the best is kept.</summary>
    public int Restarts { get; init; } = 5;

    /// <summary>Clusters of k-means that method <c>pseudo</c> joins to K; 0 for 5 K.</summary>
    public int FirstClusters { get; init; }

    /// <summary>Augmented views of every recording that <c>camsat</c> is given, 2 or more; 0 for views by noise on the embeddings.</summary>
    public int Views { get; init; } = 4;

    /// <summary>
    /// The network of <c>camsat</c> and <c>imsat</c>. Its classes, scaling and seed are those of the rounds, and <c>imsat</c> has no term over views.
    /// </summary>
    public CamsatOptions Network { get; init; } = new();

    /// <summary>Views of recordings that the method needs; 0 where it needs none.</summary>
    internal int ViewsToEmbed => Method == ClusteringMethods.Camsat ? Views : 0;

    /// <summary>The method with everything it may be told.</summary>
    internal ClusteringSettings Settings(ulong seed)
    {
        bool unitLength = Normalization == RowNormalization.UnitLength;
        return new ClusteringSettings
        {
            Method = Method,
            KMeans = new KMeansOptions
            {
                Clusters = Clusters,
                Metric = unitLength ? ClusterMetric.Cosine : ClusterMetric.Euclidean,
                Restarts = Restarts,
                Seed = seed,
            },
            FirstClusters = FirstClusters,
            Network = Network with { UnitLength = unitLength },
        };
    }
}
