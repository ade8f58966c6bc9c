namespace Spk.Engine.Clustering;

/// <summary>How the k-means objective is lowered.</summary>
public enum KMeansAlgorithm
{
    /// <summary>Lloyd's iteration (Lloyd, 1982): every row is compared with every centroid; labels are exact.</summary>
    Lloyd,

    /// <summary>
    /// The same labels and centroids as <see cref="Lloyd"/>, but rows that provably keep their label are not compared (bounds after
    /// Hamerly, "Making k-means even faster", SDM 2010). Pays off where later iterations move few
    /// centroids, and less the more dimensions there are. Needs 8 bytes more a row, and a copy of the centroids.
    /// </summary>
    Bounded,

    /// <summary>
    /// Small random batches with a learning rate per centroid (Sculley, "Web-scale k-means clustering", WWW 2010): an approximation
    /// for very large N. The last step still labels every row exactly.
    /// </summary>
    MiniBatch,
}
