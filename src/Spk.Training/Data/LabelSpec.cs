namespace Spk.Training.Data;

/// <summary>Where the classes of a classifier come from, and which of them count.</summary>
public sealed record LabelSpec
{
    /// <summary>
    /// Pseudo-labels as <c>spk cluster --out X.csv</c> writes them, with the columns <c>id,cluster</c> and perhaps <c>similarity</c>; null for the
    /// speakers of the manifest.
    /// </summary>
    public string? File { get; init; }

    /// <summary>Clusters with fewer utterances are left out, 1 or more.</summary>
    public int SmallestCluster { get; init; } = 1;

    /// <summary>Share of every cluster's utterances that is kept, the most similar to its centroid first, above 0 to 1.</summary>
    public float NearestShare { get; init; } = 1;

    /// <summary>For studies: share of the utterances that get another class at random, 0 to 1.</summary>
    public float Noise { get; init; }
}
