namespace Spk.Engine.Numerics;

/// <summary>How a panel of A is stored; the steps are constants to the compiler, so that each row is a fixed displacement.</summary>
internal interface IPanelLayout
{
    /// <summary>Elements from a row to the next.</summary>
    static abstract int RowStep { get; }

    /// <summary>Elements from one depth to the next.</summary>
    static abstract int DepthStep { get; }
}

/// <summary>A register-blocked product of one panel of A and one strip of B.</summary>
internal unsafe interface IGemmKernel
{
    /// <summary>Rows of the tile.</summary>
    static abstract int Height { get; }

    /// <summary>Columns of the tile.</summary>
    static abstract int Width { get; }

    /// <summary>
    /// Writes (or adds) the tile: C[i, j] = Σ_k A[i, k] B[k, j], k ascending. Meanwhile it fetches from <paramref name="next"/>
    /// on, about <paramref name="nextStep"/> elements a k: the strip of B that follows comes from the shared cache while this one is used. What few rows leave
    /// out of it, because a step passes a cache line, is left to the hardware.
    /// </summary>
    static abstract void Run<TLayout>(float* a, float* b, int depth, float* c, nint strideC, bool accumulate, float* next, nint nextStep)
        where TLayout : struct, IPanelLayout;
}

/// <summary>Rows of A kept as rows, the natural order of activations: packing is plain copying.</summary>
internal readonly struct RowPanel : IPanelLayout
{
    // 16 elements more than the deepest block: rows a power of two apart would compete for the same cache sets.
    public const int Stride = Gemm.MaximumDepth + 16;

    public static int RowStep => Stride;

    public static int DepthStep => 1;
}

/// <summary>Columns of A^T in strips as high as the tile of <typeparamref name="TKernel"/>.</summary>
internal readonly struct StripPanel<TKernel> : IPanelLayout
    where TKernel : struct, IGemmKernel
{
    public static int RowStep => 1;

    public static int DepthStep => TKernel.Height;
}
