namespace Spk.Engine.Clustering;

/// <summary>What happens to a cluster that no row is nearest to.</summary>
public enum EmptyClusterPolicy
{
    /// <summary>
    /// Its centroid moves to the row that lies farthest from its own centroid; several empty clusters take distinct rows, farthest
    /// first, lowest row on ties. Rows that coincide with their centroid are not taken: then the cluster keeps its centroid.
    /// </summary>
    Farthest,

    /// <summary>Its centroid stays where it is, and the cluster may stay empty.</summary>
    Keep,

    /// <summary>
    /// A cluster drawn with probability proportional to its size − 1 is split in two: the empty one takes its centroid with even and
    /// odd coordinates times 1 ± 1/1024, the donor the opposite (the rule of faiss). The objective may rise for one iteration.
    /// </summary>
    Split,
}
