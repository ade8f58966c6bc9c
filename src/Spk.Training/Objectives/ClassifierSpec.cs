namespace Spk.Training.Objectives;

/// <summary>Losses of a classifier.</summary>
public enum ClassifierHead
{
    /// <summary>Scaled cosines with the margin of <see cref="ObjectiveSpec.MarginKind"/>: normalised softmax, AM-Softmax or CosFace, AAM-Softmax.</summary>
    Margin,

    /// <summary>A plain linear layer with bias, and softmax.</summary>
    Softmax,

    /// <summary>OC-Softmax: every class against the rest (Zhang, Jiang and Duan, "One-class learning", 2021).</summary>
    OcSoftmax,

    /// <summary>A margin that follows the length of each embedding (Kim, Jain and Liu, "AdaFace", CVPR 2022).</summary>
    AdaFace,
}

/// <summary>The head of a classifier; scale and margin are those of the objective.</summary>
public sealed record HeadSpec
{
    /// <summary>Which loss.</summary>
    public ClassifierHead Kind { get; init; }

    /// <summary>OC-Softmax: the cosine with its class that an embedding should exceed, −1 to 1.</summary>
    public float TargetCosine { get; init; } = 0.9f;

    /// <summary>OC-Softmax: the cosine with other classes that it should stay below, −1 to 1.</summary>
    public float OtherCosine { get; init; } = 0.2f;

    /// <summary>OC-Softmax: other classes that count, the most similar ones, 1 to 256; 0 takes the mean over all classes.</summary>
    public int TopNegatives { get; init; } = 32;

    /// <summary>AdaFace: how much the length of an embedding matters, above 0.</summary>
    public float Concentration { get; init; } = 0.333f;

    /// <summary>AdaFace: share of a batch in the moving statistics of lengths, above 0 to 1.</summary>
    public float Rate { get; init; } = 0.01f;

    /// <summary>Margin and AdaFace: centres of a class, 1 to 64, of which the nearest counts (Deng et al., "Sub-center ArcFace", ECCV 2020).</summary>
    public int SubCentres { get; init; } = 1;

    /// <summary>Margin and AdaFace: other classes, the most similar ones, that get a margin of their own, 0 to 64 (inter-top-k, Zhao et al., 2022).</summary>
    public int HardNegatives { get; init; }

    /// <summary>The margin on these, 0 to π/2 radians.</summary>
    public float HardMargin { get; init; } = 0.06f;

    /// <summary>Scale of a head's cosines where a recipe does not say.</summary>
    internal static float DefaultScale(ClassifierHead kind) => kind == ClassifierHead.OcSoftmax ? 20f : 30f;

    /// <summary>Margin where a recipe does not say.</summary>
    internal static float DefaultMargin(ClassifierHead kind) => kind == ClassifierHead.AdaFace ? 0.4f : 0f;
}

/// <summary>What of a batch is mixed.</summary>
public enum MixKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>Waveforms, after augmentation (i-mix, Lee et al., arXiv:2010.08887).</summary>
    Input,

    /// <summary>The vectors that pooling gives, ahead of the layers that make embeddings (l-mix).</summary>
    Pooled,

    /// <summary>Embeddings (l-mix).</summary>
    Embedding,
}

/// <summary>Mixing every row with another of the batch, with its label in the same shares, against learning wrong labels by heart.</summary>
public sealed record MixSpec
{
    /// <summary>What is mixed.</summary>
    public MixKind Kind { get; init; }

    /// <summary>α: the share of a row itself is λ or 1 − λ, whichever is larger, with λ of Beta(α, α), above 0.</summary>
    public float Alpha { get; init; } = 1;
}
