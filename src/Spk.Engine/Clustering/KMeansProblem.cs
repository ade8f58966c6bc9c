namespace Spk.Engine.Clustering;

/// <summary>One of many independent problems of <see cref="KMeans.FitBatch"/>.</summary>
/// <param name="Rows">[N, D], row-major, finite.</param>
/// <param name="Dimension">D, 1 or more.</param>
/// <param name="Clusters">K of this problem; takes the place of <see cref="KMeansOptions.Clusters"/>.</param>
public sealed record KMeansProblem(ReadOnlyMemory<float> Rows, int Dimension, int Clusters)
{
    /// <summary>[K, D], or empty for <see cref="KMeansOptions.Initialization"/>.</summary>
    public ReadOnlyMemory<float> InitialCentroids { get; init; }

    /// <summary>[N], 0 or more; empty for 1 each.</summary>
    public ReadOnlyMemory<float> Weights { get; init; }

    /// <summary>Seed of this problem; null for <see cref="KMeansOptions.Seed"/>.</summary>
    public ulong? Seed { get; init; }
}
