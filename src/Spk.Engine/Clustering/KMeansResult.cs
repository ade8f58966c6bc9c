namespace Spk.Engine.Clustering;

/// <summary>A finished clustering. Labels, similarities, counts and inertia belong to the centroids given here.</summary>
public sealed class KMeansResult
{
    internal KMeansResult() { }

    /// <summary>D, columns of rows and centroids.</summary>
    public required int Dimension { get; init; }

    /// <summary>What "near" meant.</summary>
    public required ClusterMetric Metric { get; init; }

    /// <summary>[N], cluster of every row, 0 to K − 1; ties went to the lowest. Under cosine a zero row is in cluster 0.</summary>
    public required int[] Labels { get; init; }

    /// <summary>[K, D], row-major. Under cosine of unit length.</summary>
    public required float[] Centroids { get; init; }

    /// <summary>[K], rows of every cluster (whatever their weights).</summary>
    public required int[] Counts { get; init; }

    /// <summary>[N], nearness of every row to its centroid. Cosine: similarity, 0 for a zero row. Euclidean: minus the squared distance.</summary>
    public required float[] OwnSimilarity { get; init; }

    /// <summary>
    /// Objective of the labels of every iteration, measured with the centroids they were found with, before the update. Euclidean:
    /// Σ weight · squared distance; cosine: −Σ weight · similarity. Mini-batch: that of the batch, scaled to all rows.
    /// </summary>
    public required double[] InertiaPerIteration { get; init; }

    /// <summary>Objective of the final labels and centroids, over all rows.</summary>
    public required double Inertia { get; init; }

    /// <summary>Mean of <see cref="OwnSimilarity"/>, weighted where weights were given.</summary>
    public required double MeanOwnSimilarity { get; init; }

    /// <summary>Iterations (assignment and update) of the start that won.</summary>
    public required int Iterations { get; init; }

    /// <summary>Why that start ended.</summary>
    public required KMeansStop Stop { get; init; }

    /// <summary>Which start won, from 0.</summary>
    public required int Restart { get; init; }

    /// <summary>K, number of centroids.</summary>
    public int Clusters => Counts.Length;

    /// <summary>One centroid.</summary>
    /// <param name="cluster">0 to K − 1.</param>
    /// <returns>D elements.</returns>
    public ReadOnlySpan<float> Centroid(int cluster) => Centroids.AsSpan(cluster * Dimension, Dimension);
}
