using Spk.Engine.Ops.Loss;

namespace Spk.Training.Objectives;

/// <summary>What the objectives over dialogues compare by: AvA, A-Proto and GE2E (methods.md 10).</summary>
public sealed record DialogueSpec
{
    /// <summary>w, by which cosines are multiplied: its value at the first step, above 0.</summary>
    public float Scale { get; init; } = 10f;

    /// <summary>b, which is added to them: its value at the first step (GE2E; in the softmaxes it cancels).</summary>
    public float Offset { get; init; } = -5f;

    /// <summary>Whether w and b are learned.</summary>
    public bool LearnScale { get; init; } = true;

    /// <summary>GE2E: how the own centroid is compared with the others.</summary>
    public Ge2eForm Form { get; init; }

    /// <summary>How dialogues of several speakers are made to count less.</summary>
    public RejectionSpec Rejection { get; init; } = new();
}

/// <summary>How the loss of a dialogue is weighed by its compactness, the mean cosine of its utterances.</summary>
public enum RejectionKind
{
    /// <summary>All dialogues count alike.</summary>
    None,

    /// <summary>A sigmoid of the compactness relative to its running mean and deviation.</summary>
    Standardized,

    /// <summary>A sigmoid of the compactness relative to a fixed threshold.</summary>
    Absolute,

    /// <summary>The compactness itself, 0 where it is negative.</summary>
    Rectified,

    /// <summary>Softmax of the compactness over the dialogues of a batch.</summary>
    Softmax,

    /// <summary>1 for the most compact dialogues of a batch, 0 for the rest: hard rejection.</summary>
    Top,
}

/// <summary>Soft rejection of dialogues that seem to have several speakers (methods.md 10.4). Weights have no gradient.</summary>
public sealed record RejectionSpec
{
    /// <summary>How weights follow compactness.</summary>
    public RejectionKind Kind { get; init; }

    /// <summary>Slope of the sigmoids, by one deviation (standardized) or by 1 (absolute); of the softmax, one over its temperature.</summary>
    public float Slope { get; init; } = 2f;

    /// <summary>Compactness of weight 1/2 (absolute).</summary>
    public float Threshold { get; init; } = 0.5f;

    /// <summary>Share of the old statistics that is kept at every step, 0 to 1 (standardized).</summary>
    public float Momentum { get; init; } = 0.99f;

    /// <summary>Share of the dialogues of a batch that count (top), above 0 to 1.</summary>
    public float Kept { get; init; } = 0.8f;

    /// <summary>Whether the weights of a batch are scaled to a mean of 1, which keeps the size of steps.</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>
    /// Share of all steps in which the slope rises from 0, as early compactness is noise; rules without slope begin after them. 0 to 1.
    /// </summary>
    public float Warmup { get; init; } = 0.1f;
}
