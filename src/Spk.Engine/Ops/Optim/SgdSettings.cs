using Spk.Interop;

namespace Spk.Engine.Ops.Optim;

/// <summary>Hyper-parameters of one step of stochastic gradient descent.</summary>
public readonly record struct SgdSettings
{
    /// <summary>Creates plain descent: no momentum, no decay, a rate of 0.</summary>
    public SgdSettings() { }

    /// <summary>Step size of this step, 0 or more.</summary>
    public double LearningRate { get; init; }

    /// <summary>μ, 0 to below 1; 0 needs no state.</summary>
    public double Momentum { get; init; }

    /// <summary>λ, 0 or more: λ·p is added to the gradient.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Step along g + μ·buffer instead of the buffer; needs a momentum.</summary>
    public bool Nesterov { get; init; }

    /// <summary>What the gradient is multiplied by as it is read, above 0: <see cref="GradientNorm.ClipFactor"/>.</summary>
    public double GradientFactor { get; init; } = 1;

    internal void Validate()
    {
        OptimChecks.RequireAtLeastZero(LearningRate, "learning rate");
        OptimChecks.RequireBelowOne(Momentum, "momentum");
        OptimChecks.RequireAtLeastZero(WeightDecay, "weight decay");
        OptimChecks.RequireAboveZero(GradientFactor, "gradient factor");
        if (Nesterov && Momentum == 0)
        {
            throw new InvalidOptionException("nesterov = true needs a momentum above 0 (0.9 is usual).");
        }
    }
}
