using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// What a loss over cosines saw, without margin. Reading copies from the device and allocates nothing; valid until the
/// workspace is reset.
/// </summary>
public readonly struct SimilarityStatistics
{
    internal const int Count = 3;
    private readonly Tensor _values;

    internal SimilarityStatistics(Tensor values) => _values = values;

    /// <summary>Mean cosine of anchors with their positives (or of embeddings with their class), −1 to 1.</summary>
    public float MeanPositiveCosine => Read(0);

    /// <summary>Mean cosine over all negatives that were not masked, −1 to 1; NaN where there is none.</summary>
    public float MeanNegativeCosine => Read(1);

    /// <summary>Share of anchors whose positive has a cosine at least that of every negative, 0 to 1 (a classifier's accuracy).</summary>
    public float TopOneRate => Read(2);

    private float Read(int index)
    {
        Span<float> values = stackalloc float[Count];
        _values.CopyTo(values);
        return values[index];
    }
}
