using Spk.Engine.Clustering;

namespace Spk.Training.PseudoLabelling;

/// <summary>A method of <see cref="ClusteringMethods"/> with everything it may be told.</summary>
public sealed record ClusteringSettings
{
    /// <summary>One of <see cref="ClusteringMethods.Names"/>.</summary>
    public string Method { get; init; } = ClusteringMethods.Default;

    /// <summary>K, metric, and everything about k-means, which most methods begin with; its K and seed are those of all methods.</summary>
    public KMeansOptions KMeans { get; init; } = new();

    /// <summary>Of <c>ahc</c>. Ward's takes Euclidean distances whatever the metric; between unit rows they order pairs as cosines do.</summary>
    public Linkage Linkage { get; init; } = Linkage.Ward;

    /// <summary>Clusters of k-means that <c>pseudo</c> joins to K; 0 for 5 K, or all rows where there are fewer.</summary>
    public int FirstClusters { get; init; }

    /// <summary>The network of <c>camsat</c> and <c>imsat</c>, which has no term over views; its K and seed are those of <see cref="KMeans"/>.</summary>
    public CamsatOptions Network { get; init; } = new();

    /// <summary>What the network really is.</summary>
    internal CamsatOptions ResolvedNetwork
    {
        get
        {
            var network = Network with { Clusters = KMeans.Clusters, Seed = KMeans.Seed };
            return Method == "imsat" ? network with { ConsistencyWeight = 0, SymmetryWeight = 0, InfoNceWeight = 0, SupConWeight = 0 } : network;
        }
    }

    /// <summary>The k-means that the method is or begins with.</summary>
    /// <param name="rows">N.</param>
    public KMeansOptions KMeansOf(int rows) => Method switch
    {
        "minibatch" => KMeans with { Algorithm = KMeansAlgorithm.MiniBatch },
        "pseudo" => KMeans with { Clusters = FirstClusters > 0 ? FirstClusters : (int)Math.Min(5L * KMeans.Clusters, rows) },
        _ => KMeans,
    };
}
