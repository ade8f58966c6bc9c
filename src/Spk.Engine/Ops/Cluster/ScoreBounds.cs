using System.Runtime.Intrinsics;
using Spk.Engine.Clustering;

namespace Spk.Engine.Ops.Cluster;

/// <summary>
/// What scores x·c − ‖c‖²/2 (cosine: x·c), summed in order in f32, may be wrong by: at most (D + 8) roundings of ‖x‖·‖c‖ and one of
/// ‖c‖², with the largest ‖c‖ for all centroids of a row.
/// </summary>
internal readonly struct ScoreBounds
{
    // 2^-24 and some slack for the arithmetic of the bounds themselves.
    private const double Roundoff = 1.01 / (1 << 24);

    // Between these products of lengths, scores of rows and centroids neither overflow f32 nor lose bits to underflow.
    private const double LargestProduct = 1e30;
    private const double SmallestProduct = 1e-30;

    // What a column may add to a row's length without its square showing in f32.
    private const double HiddenLength = 1e-18;

    private readonly float _perLength, _constant, _shortest, _longest;

    public ScoreBounds(int dimension, double largestNorm, ClusterMetric metric)
    {
        double offset = metric == ClusterMetric.Cosine ? 0 : largestNorm * largestNorm, hidden = HiddenLength * dimension;
        double perLength = Roundoff * (dimension + 8) * largestNorm;
        _perLength = (float)perLength;
        _constant = (float)((Roundoff * offset) + (perLength * hidden));

        // An empty range where the centroids alone leave f32.
        _shortest = (float)Math.Min(float.MaxValue, (SmallestProduct / largestNorm) - hidden);
        _longest = offset < LargestProduct ? (float)Math.Min(float.MaxValue, LargestProduct / largestNorm) : -1f;
    }

    /// <summary>The bound for a row of this length.</summary>
    public float Error(float length) => (_perLength * length) + _constant;

    /// <inheritdoc cref="Error(float)"/>
    public Vector512<float> Error(Vector512<float> lengths) =>
        Vector512.FusedMultiplyAdd(lengths, Vector512.Create(_perLength), Vector512.Create(_constant));

    /// <summary>Whether the bound holds for a row of this length.</summary>
    public bool InRange(float length) => length > _shortest && length < _longest;

    /// <inheritdoc cref="InRange(float)"/>
    public Vector512<float> InRange(Vector512<float> lengths) =>
        Vector512.GreaterThan(lengths, Vector512.Create(_shortest)) & Vector512.LessThan(lengths, Vector512.Create(_longest));
}
