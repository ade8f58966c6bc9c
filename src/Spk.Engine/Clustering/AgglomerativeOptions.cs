namespace Spk.Engine.Clustering;

/// <summary>What the distance of two clusters is.</summary>
public enum Linkage
{
    /// <summary>
    /// Growth of the squared error by the merge: √(2ab/(a+b)) · ‖difference of the means‖ for clusters of a and b points. Makes
    /// clusters of similar size; Euclidean only. Ward, "Hierarchical grouping to optimize an objective function", 1963.
    /// </summary>
    Ward,

    /// <summary>Mean distance over all pairs of points of both (UPGMA). Sokal and Michener, 1958.</summary>
    Average,
}

/// <summary>Options of <see cref="Agglomerative"/>; the defaults are those of the pseudo-label recipe.</summary>
public sealed record AgglomerativeOptions
{
    /// <summary>What the distance of two clusters is.</summary>
    public Linkage Linkage { get; init; } = Linkage.Ward;

    /// <summary>Distance of two points: Euclidean, or 1 − cosine; <see cref="Linkage.Ward"/> needs Euclidean (scale rows to unit length first for a cosine flavour).</summary>
    public ClusterMetric Metric { get; init; } = ClusterMetric.Euclidean;

    /// <summary>Threads; 0 for one per processor. The result does not depend on it.</summary>
    public int Threads { get; init; }
}
