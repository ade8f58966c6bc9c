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

    /// <summary>Rows of a task of the loops over all of them; partial sums are of as many. A multiple of the width of every strip of packed rows.</summary>
    public const int ChunkRows = 512;

    public readonly int Chunks => ChunksOf(Count);

    public static int ChunksOf(int count) => (int)(((long)count + ChunkRows - 1) / ChunkRows);

    public readonly float* Row(int row) => Rows + ((nint)row * Dimension);
}
