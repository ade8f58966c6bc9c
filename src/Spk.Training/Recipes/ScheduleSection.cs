using Spk.Training.Optimization;

namespace Spk.Training.Recipes;

/// <summary>Learning rate over the run; the rate is set for every step.</summary>
public sealed record ScheduleSection
{
    /// <summary>Shape of the curve.</summary>
    public LearningRateKind Kind { get; init; } = LearningRateKind.Cosine;

    /// <summary>Rate at the start, after any warm-up.</summary>
    public double LearningRate { get; init; } = 5e-4;

    /// <summary>Rate at the end (cosine, exponential).</summary>
    public double Minimum { get; init; } = 1e-5;

    /// <summary>Epochs of linear rise before the curve starts.</summary>
    public double WarmupEpochs { get; init; }

    /// <summary>Factor of the step schedule.</summary>
    public double Decay { get; init; } = 0.95;

    /// <summary>Epochs between two factors of the step schedule.</summary>
    public int DecayEveryEpochs { get; init; } = 5;

    /// <summary>The curve for a run of known length.</summary>
    /// <param name="epochs">Epochs of the run.</param>
    /// <param name="batchesPerEpoch">Steps of an epoch.</param>
    internal LearningRateSchedule Create(int epochs, int batchesPerEpoch) => new()
    {
        Kind = Kind,
        Base = LearningRate,
        Minimum = Minimum,
        Decay = Decay,
        DecayEveryEpochs = DecayEveryEpochs,
        WarmupSteps = (long)Math.Round(WarmupEpochs * batchesPerEpoch),
        StepsPerEpoch = batchesPerEpoch,
        TotalSteps = (long)epochs * batchesPerEpoch,
    };
}
