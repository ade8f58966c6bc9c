namespace Spk.Engine.Ops.Loss;

/// <summary>How <see cref="OneClassSoftmax"/> makes one loss of a row's terms.</summary>
public enum OneClassReduction
{
    /// <summary>The term of the own class plus the mean over the hardest others: neither easy nor many others drown the own class.</summary>
    TargetPlusHardest,

    /// <summary>The mean over all classes.</summary>
    MeanAll,
}

/// <summary>Arguments of <see cref="OneClassSoftmax"/>.</summary>
public readonly record struct OneClassOptions
{
    /// <summary>The defaults.</summary>
    public OneClassOptions() { }

    /// <summary>m0: the cosine that the own class should exceed, −1 to 1.</summary>
    public float TargetCosine { get; init; } = 0.9f;

    /// <summary>m1: the cosine that the others should stay below, −1 to 1.</summary>
    public float OtherCosine { get; init; } = 0.2f;

    /// <summary>α, above 0.</summary>
    public float Scale { get; init; } = 20f;

    /// <summary>How terms are joined.</summary>
    public OneClassReduction Reduction { get; init; } = OneClassReduction.TargetPlusHardest;

    /// <summary>Others that count with <see cref="OneClassReduction.TargetPlusHardest"/>: those of the highest cosines, 1 to 256; fewer where there are fewer.</summary>
    public int Hardest { get; init; } = 32;

    /// <summary>Second classes of mixed rows, each with a loss of its own; null for none.</summary>
    public LabelMix? Mix { get; init; }
}
