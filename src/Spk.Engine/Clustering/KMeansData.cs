namespace Spk.Engine.Clustering;

/// <summary>The rows of one problem in host memory.</summary>
internal unsafe struct KMeansData
{
    /// <summary>[Count, Dimension], contiguous.</summary>
    public float* Rows;

    /// <summary>[Count], factor of a row in its cluster's sum and in the objective, or null for 1. 0: the row cannot become a centroid.</summary>
    public float* Scales;

    /// <summary>[Count], the caller's weights, or null for 1.</summary>
    public float* Weights;

    public int Count, Dimension;

    public readonly float* Row(int row) => Rows + ((nint)row * Dimension);
}
