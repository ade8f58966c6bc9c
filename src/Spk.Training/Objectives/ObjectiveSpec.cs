using Spk.Engine.Ops.Loss;

namespace Spk.Training.Objectives;

/// <summary>Training objectives.</summary>
public enum ObjectiveKind
{
    /// <summary>Self-supervised contrastive learning with NT-Xent (Chen et al., "A simple framework for contrastive learning", ICML 2020).</summary>
    SimClr,

    /// <summary>Classification of the manifest's speakers with a margin softmax (Deng et al., "ArcFace", CVPR 2019).</summary>
    Supervised,
}

/// <summary>How the margin grows over training.</summary>
public enum MarginCurve
{
    /// <summary>The whole margin from the first step.</summary>
    Constant,

    /// <summary>From 0 to the whole margin along half a cosine over the first half of the epochs (methods.md 5.1).</summary>
    Cosine,
}

/// <summary>Everything an objective needs to know; fields that another kind uses are ignored.</summary>
public sealed record ObjectiveSpec
{
    /// <summary>Which objective.</summary>
    public ObjectiveKind Kind { get; init; } = ObjectiveKind.SimClr;

    /// <summary>Temperature of NT-Xent, above 0 (SimCLR).</summary>
    public float Temperature { get; init; } = 0.1f;

    /// <summary>Whether both views are anchors, with 2B − 2 negatives each (SimCLR).</summary>
    public bool Symmetric { get; init; } = true;

    /// <summary>Where the margin enters.</summary>
    public MarginKind MarginKind { get; init; } = MarginKind.Additive;

    /// <summary>The margin: subtracted from the positive cosine (additive) or added to its angle in radians (additiveAngular), 0 to 1.</summary>
    public float Margin { get; init; }

    /// <summary>How the margin grows.</summary>
    public MarginCurve MarginCurve { get; init; } = MarginCurve.Constant;

    /// <summary>Leaves utterances of the anchor's own speaker out of the negatives, by the manifest's labels: a diagnosis, not self-supervision (SimCLR).</summary>
    public bool OracleMask { get; init; }

    /// <summary>Scale of the cosines (supervised).</summary>
    public float Scale { get; init; } = 30f;
}
