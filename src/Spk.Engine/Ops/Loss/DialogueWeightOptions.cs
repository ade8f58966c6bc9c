namespace Spk.Engine.Ops.Loss;

/// <summary>How <see cref="DialogueCompactness.Weigh"/> makes weights a_j = σ(slope · (κ_j − threshold)) from compactness κ.</summary>
public readonly record struct DialogueWeightOptions
{
    /// <summary>Creates the defaults: slope 2 relative to running statistics, momentum 0.99, mean weight 1.</summary>
    public DialogueWeightOptions() { }

    /// <summary>β, finite: 0 weighs all dialogues alike, more separates them. With running statistics it is divided by their deviation.</summary>
    public float Slope { get; init; } = 2f;

    /// <summary>The compactness of weight 1/2 where there are no running statistics.</summary>
    public float Threshold { get; init; } = 0.5f;

    /// <summary>Of the running statistics, 0 to 1.</summary>
    public float Momentum { get; init; } = 0.99f;

    /// <summary>Whether weights are scaled to a mean of 1, so that rejection does not shorten steps.</summary>
    public bool Normalize { get; init; } = true;
}
