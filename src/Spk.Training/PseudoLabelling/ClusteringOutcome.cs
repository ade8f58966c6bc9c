using Spk.Engine.Clustering;

namespace Spk.Training.PseudoLabelling;

/// <summary>Clusters, and how they were reached; null is what a method does not have.</summary>
/// <param name="Labels">[N], from 0.</param>
public sealed record ClusteringOutcome(int[] Labels)
{
    /// <summary>[N], how near each row lies to its centroid, or how probable its cluster is: high is near.</summary>
    public float[]? Similarity { get; init; }

    /// <summary>[K, D], row-major.</summary>
    public float[]? Centroids { get; init; }

    /// <summary>Objective of k-means.</summary>
    public double? Inertia { get; init; }

    /// <summary>Of k-means, or rounds of the mixture.</summary>
    public int? Iterations { get; init; }

    /// <summary>Why these ended.</summary>
    public string? Stop { get; init; }

    /// <summary>Mean log-likelihood of a row under the mixture, in nats.</summary>
    public double? LogLikelihood { get; init; }

    /// <summary>K-means clusters that were joined to the labels: what inertia, iterations and stop are of.</summary>
    public int? FirstClusters { get; init; }

    /// <summary>Course of <c>camsat</c> and <c>imsat</c>.</summary>
    public IReadOnlyList<CamsatEpoch> Epochs { get; init; } = [];

    /// <summary>That of k-means.</summary>
    /// <param name="result">What it found.</param>
    public static ClusteringOutcome Of(KMeansResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        string stop = result.Stop.ToString();
        return new ClusteringOutcome(result.Labels)
        {
            Similarity = result.OwnSimilarity,
            Centroids = result.Centroids,
            Inertia = result.Inertia,
            Iterations = result.Iterations,
            Stop = char.ToLowerInvariant(stop[0]) + stop[1..],
        };
    }
}
