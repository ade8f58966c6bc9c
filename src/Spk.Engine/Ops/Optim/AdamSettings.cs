namespace Spk.Engine.Ops.Optim;

/// <summary>Hyper-parameters of one Adam or AdamW step.</summary>
public readonly record struct AdamSettings
{
    /// <summary>Creates PyTorch's defaults: rate 1e-3, β 0.9 and 0.999, ε 1e-8, no decay.</summary>
    public AdamSettings() { }

    /// <summary>Step size of this step, 0 or more.</summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Decay of the gradient's running mean, 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay of the squared gradient's running mean, 0 to below 1.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>ε, above 0: added to the root of the second moment.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>λ, 0 or more: added to the gradient as λ·p by <see cref="Adam"/>, taken from the values by <see cref="AdamW"/>.</summary>
    public double WeightDecay { get; init; }

    /// <summary>What the gradient is multiplied by as it is read, above 0: <see cref="GradientNorm.ClipFactor"/>.</summary>
    public double GradientFactor { get; init; } = 1;

    internal void Validate()
    {
        OptimChecks.RequireAtLeastZero(LearningRate, "learning rate");
        OptimChecks.RequireBelowOne(Beta1, "beta1");
        OptimChecks.RequireBelowOne(Beta2, "beta2");
        OptimChecks.RequireAtLeastZero(WeightDecay, "weight decay");
        OptimChecks.RequireAboveZero(Epsilon, "epsilon");
        OptimChecks.RequireAboveZero(GradientFactor, "gradient factor");
    }
}
