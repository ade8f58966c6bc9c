using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>What <see cref="MarginClassifier"/> is to compute.</summary>
public readonly record struct MarginClassifierOptions
{
    /// <summary>The defaults.</summary>
    public MarginClassifierOptions() { }

    /// <summary>Margin on the target's cosine.</summary>
    public MarginKind Kind { get; init; }

    /// <summary>s, above 0.</summary>
    public float Scale { get; init; } = 30f;

    /// <summary>m: 0 to 2 (additive) or 0 to π/2 radians (angular, adaptive).</summary>
    public float Margin { get; init; } = 0.2f;

    /// <summary>AdaFace: the margin follows the length of each embedding. Takes the place of <see cref="Kind"/>, which is then None.</summary>
    public AdaptiveMargin? Adaptive { get; init; }

    /// <summary>
    /// S, 1 to 64: rows of the weight that a class has, one after the other (sub-centre ArcFace, Deng et al. 2020). Its cosine is that of the nearest
    /// one, which alone gets a gradient, so that wrongly labelled rows may gather around a centre of their own.
    /// </summary>
    public int SubCentres { get; init; } = 1;

    /// <summary>
    /// k, 0 to 64: other classes with the highest cosines, whose logits are s·cos(θ − <see cref="HardMargin"/>) instead of s·cos θ (inter-top-k, Zhao et
    /// al. 2022). 0 for none.
    /// </summary>
    public int HardNegatives { get; init; }

    /// <summary>Margin on these, 0 to π/2 radians.</summary>
    public float HardMargin { get; init; } = 0.06f;

    /// <summary>Second classes of mixed rows: the margin is on each of the two in a cross-entropy of its own. Null for none.</summary>
    public LabelMix? Mix { get; init; }
}

/// <summary>
/// The margin of AdaFace (Kim, Jain and Liu, arXiv:2204.00964): long embeddings, taken for good recordings, get more additive and less
/// angular margin, φ(c) = cos(θ − m·ĝ) − m − m·ĝ with ĝ = clip(h (‖x‖ − μ) / (σ + 0.001), −1, 1), which is not differentiated.
/// </summary>
/// <param name="State">
/// Moving mean and deviation of the lengths and 1, or zeros before the first step, which then starts them from its batch: f32 [3],
/// persistent. Steps that are recorded on a tape update it.
/// </param>
public readonly record struct AdaptiveMargin(Tensor State)
{
    /// <summary>Elements of <see cref="State"/>.</summary>
    public const int StateSize = 3;

    /// <summary>h, above 0: 0.333 keeps two thirds of normally distributed lengths within ±1.</summary>
    public float Concentration { get; init; } = 0.333f;

    /// <summary>t, above 0 to 1: the share of a batch in the moving mean and deviation.</summary>
    public float Rate { get; init; } = 0.01f;
}
