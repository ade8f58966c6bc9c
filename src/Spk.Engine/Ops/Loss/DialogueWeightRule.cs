namespace Spk.Engine.Ops.Loss;

/// <summary>How <see cref="DialogueCompactness.Weigh"/> makes weights from the compactness κ of the dialogues of a batch.</summary>
public enum DialogueWeightRule
{
    /// <summary>σ(slope · (κ − threshold)).</summary>
    Sigmoid,

    /// <summary>max(0, κ); slope and threshold are not used.</summary>
    Rectified,

    /// <summary>Softmax of slope · κ over the dialogues; the threshold cancels.</summary>
    Softmax,

    /// <summary>1 for the most compact share of the dialogues, 0 for the others; slope and threshold are not used.</summary>
    Top,
}
