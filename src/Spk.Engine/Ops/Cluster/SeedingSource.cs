using Spk.Engine.Clustering;

namespace Spk.Engine.Ops.Cluster;

/// <summary>Rows from which first centroids are chosen, in host memory.</summary>
internal unsafe struct SeedingSource
{
    public float* Rows;
    public nint RowStride;
    public int Count, Dimension;

    /// <summary>As in <see cref="KMeansInit"/>; null for 1.</summary>
    public float* Scales;
    public ClusterMetric Metric;

    public readonly ReadOnlySpan<float> ScaleSpan => Scales == null ? [] : new ReadOnlySpan<float>(Scales, Count);

    public readonly float* Row(int row) => Rows + (row * RowStride);

    /// <summary>The row's weight: its scale, under cosine times its length.</summary>
    public readonly double Weight(int row)
    {
        if (Scales == null)
        {
            return 1;
        }

        return Metric == ClusterMetric.Euclidean ? Scales[row] : Scales[row] * Math.Sqrt(RowMath.Dot(Row(row), Row(row), Dimension));
    }
}
