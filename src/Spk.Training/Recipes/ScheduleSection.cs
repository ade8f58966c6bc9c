namespace Spk.Training.Recipes;

/// <summary>Learning rate over the run; the rate is set for every step.</summary>
public sealed record ScheduleSection
{
    /// <summary>Shape of the curve.</summary>
    public LearningRateKind Kind { get; init; } = LearningRateKind.Cosine;

    /// <summary>Rate at the start, after any warm-up.</summary>
    public float LearningRate { get; init; } = 5e-4f;

    /// <summary>Rate at the end (cosine, exponential).</summary>
    public float Minimum { get; init; } = 1e-5f;

    /// <summary>Epochs of linear rise before the curve starts.</summary>
    public float WarmupEpochs { get; init; }

    /// <summary>Factor of the step schedule.</summary>
    public float Decay { get; init; } = 0.95f;

    /// <summary>Epochs between two factors of the step schedule.</summary>
    public int DecayEveryEpochs { get; init; } = 5;
}

/// <summary>Shapes of the learning-rate curve (methods.md 4).</summary>
public enum LearningRateKind
{
    /// <summary>The same rate throughout.</summary>
    Constant,

    /// <summary>A factor every few epochs.</summary>
    Step,

    /// <summary>Half a cosine from the start to the end rate.</summary>
    Cosine,

    /// <summary>A constant factor every step from the start to the end rate.</summary>
    Exponential,
}
