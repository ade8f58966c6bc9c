namespace Spk.Engine.Clustering;

/// <summary>How well a clustering agrees with known classes: every label-based measure at once.</summary>
/// <remarks>
/// To choose a clustering whose labels shall train a speaker model, look at <see cref="Completeness"/> first, then at
/// <see cref="NormalizedMutualInformation"/>: they predict the error rate of the trained model best.
/// </remarks>
public sealed record ClusterAgreement
{
    /// <summary>Number of points.</summary>
    public required int Points { get; init; }

    /// <summary>Number of distinct true labels.</summary>
    public required int Classes { get; init; }

    /// <summary>Number of distinct predicted labels.</summary>
    public required int Clusters { get; init; }

    /// <summary>ACC: share of points in the best one-to-one matching of clusters and classes, in (0, 1].</summary>
    public required double Accuracy { get; init; }

    /// <summary>Share of points that belong to the largest class of their cluster, in (0, 1]; 1 where every point is a cluster.</summary>
    public required double Purity { get; init; }

    /// <summary>NMI: mutual information over the arithmetic mean of both entropies, in [0, 1].</summary>
    public required double NormalizedMutualInformation { get; init; }

    /// <summary>NMI with the geometric mean of both entropies, in [0, 1].</summary>
    public required double NormalizedMutualInformationGeometric { get; init; }

    /// <summary>AMI: mutual information corrected for chance, at most 1; 0 is chance and less is worse than chance.</summary>
    public required double AdjustedMutualInformation { get; init; }

    /// <summary>ARI: share of agreeing pairs of points, corrected for chance, in [−0.5, 1].</summary>
    public required double AdjustedRandIndex { get; init; }

    /// <summary>1 where every cluster holds points of one class only, in [0, 1].</summary>
    public required double Homogeneity { get; init; }

    /// <summary>1 where all points of a class are in one cluster, in [0, 1].</summary>
    public required double Completeness { get; init; }

    /// <summary>Harmonic mean of homogeneity and completeness, in [0, 1]; the same as arithmetic NMI.</summary>
    public required double VMeasure { get; init; }

    /// <summary>FMI: geometric mean of pairwise precision and recall, in [0, 1].</summary>
    public required double FowlkesMallows { get; init; }
}
