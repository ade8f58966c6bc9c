namespace Spk.Engine.Ops.Loss;

/// <summary>How <see cref="DialogueCompactness.Weigh"/> makes weights a_j from compactness κ_j.</summary>
public readonly record struct DialogueWeightOptions
{
    /// <summary>Creates the defaults: slope 2 relative to running statistics, momentum 0.99, mean weight 1.</summary>
    public DialogueWeightOptions() { }

    /// <summary>How weights follow compactness.</summary>
    public DialogueWeightRule Rule { get; init; }

    /// <summary>β, finite: 0 weighs all dialogues alike, more separates them. With running statistics it is divided by their deviation.</summary>
    public float Slope { get; init; } = 2f;

    /// <summary>The compactness of weight 1/2 where there are no running statistics.</summary>
    public float Threshold { get; init; } = 0.5f;

    /// <summary>Share of dialogues that <see cref="DialogueWeightRule.Top"/> keeps, rounded to one at least; above 0 to 1.</summary>
    public float Kept { get; init; } = 0.8f;

    /// <summary>Of the running statistics, 0 to 1.</summary>
    public float Momentum { get; init; } = 0.99f;

    /// <summary>Whether weights are scaled to a mean of 1, so that rejection does not shorten steps. Weights that are all 0 become 1.</summary>
    public bool Normalize { get; init; } = true;

    /// <summary>Of so many dialogues, how many are kept.</summary>
    internal int KeptOf(int dialogues) => Math.Clamp((int)MathF.Round(Kept * dialogues), 1, dialogues);
}
