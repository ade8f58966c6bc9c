namespace Spk.Engine.Numerics;

/// <summary>
/// What one tile of a product sums over operands that are read where they lie:
/// C[i, j] = Σ_s Σ_k A[s·SegmentA + i·RowStep + k·DepthStep] · B[s·SegmentB + k·StepB + j], s and k ascending.
/// </summary>
internal unsafe struct StridedTile
{
    public float* A;
    public float* B;

    /// <summary>Elements of A from a row to the next, and from one depth to the next.</summary>
    public nint RowStep, DepthStep;

    /// <summary>Elements of B from one depth to the next; the columns of a tile follow each other.</summary>
    public nint StepB;

    /// <summary>Elements from a segment to the next.</summary>
    public nint SegmentA, SegmentB;

    /// <summary>Segments, and the depth of each.</summary>
    public int Segments, Depth;
}

/// <summary>A register-blocked product of one <see cref="StridedTile"/>: the inner part of a convolution, which packs no windows.</summary>
internal unsafe interface IStridedKernel
{
    /// <summary>Rows of the tile; all of them are read and written.</summary>
    static abstract int Height { get; }

    /// <summary>Columns of the tile.</summary>
    static abstract int Width { get; }

    /// <summary>Writes the tile, or adds to what is there; its rows lie <paramref name="strideC"/> elements apart.</summary>
    static abstract void Run(in StridedTile tile, float* c, nint strideC, bool accumulate);
}
