namespace Spk.Engine.Clustering;

/// <summary>What "near" means to a clustering.</summary>
public enum ClusterMetric
{
    /// <summary>Squared Euclidean distance; a centroid is the mean of its rows.</summary>
    Euclidean,

    /// <summary>
    /// Cosine similarity (spherical k-means; Dhillon and Modha, 2001): rows count by direction only, and centroids have unit length.
    /// </summary>
    Cosine,
}
