using System.Globalization;
using Spk.Interop;

namespace Spk.Training.Optimization;

/// <summary>Which update rule.</summary>
public enum OptimizerKind
{
    /// <summary>Adam, weight decay coupled (Kingma and Ba 2015).</summary>
    Adam,

    /// <summary>Adam, weight decay decoupled (Loshchilov and Hutter 2019).</summary>
    AdamW,

    /// <summary>Gradient descent with momentum.</summary>
    Sgd,
}

/// <summary>What a gradient clip bounds.</summary>
public enum GradientClipScope
{
    /// <summary>The norm of all gradients of the optimiser together.</summary>
    All,

    /// <summary>Each parameter's own norm (DINO).</summary>
    EachParameter,
}

/// <summary>
/// Settings of an optimiser, without the learning rate, which is a <see cref="LearningRateSchedule"/>. Defaults are those of the
/// SimCLR, MoCo and margin recipes: Adam (0.9, 0.999, 1e-8) without decay.
/// </summary>
public sealed record OptimizerSpec
{
    /// <summary>The update rule.</summary>
    public OptimizerKind Kind { get; init; } = OptimizerKind.Adam;

    /// <summary>Adam's β₁, 0 to below 1.</summary>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Adam's β₂, 0 to below 1.</summary>
    public double Beta2 { get; init; } = 0.999;

    /// <summary>Adam's ε, above 0.</summary>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>SGD's momentum, 0 to below 1.</summary>
    public double Momentum { get; init; } = 0.9;

    /// <summary>SGD: Nesterov's variant.</summary>
    public bool Nesterov { get; init; }

    /// <summary>Weight decay, 0 or more.</summary>
    public double WeightDecay { get; init; }

    /// <summary>Whether biases and normalisation weights (one axis) decay too; DINO's recipe says no.</summary>
    public bool DecayVectors { get; init; } = true;

    /// <summary>Gradients are clipped to this norm, above 0; null does not clip.</summary>
    public double? ClipNorm { get; init; }

    /// <summary>What the clip bounds.</summary>
    public GradientClipScope ClipScope { get; init; }

    /// <summary>Checks every field.</summary>
    /// <exception cref="InvalidOptionException">A field is out of range; the message names it.</exception>
    public void Validate()
    {
        Require(Enum.IsDefined(Kind), "kind", (double)Kind, "adam, adamw or sgd");
        Require(Beta1 >= 0 && Beta1 < 1, "beta1", Beta1, "0 to below 1");
        Require(Beta2 >= 0 && Beta2 < 1, "beta2", Beta2, "0 to below 1");
        Require(Epsilon > 0 && double.IsFinite(Epsilon), "epsilon", Epsilon, "above 0");
        Require(Momentum >= 0 && Momentum < 1, "momentum", Momentum, "0 to below 1");
        Require(WeightDecay >= 0 && double.IsFinite(WeightDecay), "weightDecay", WeightDecay, "0 or more");
        Require(ClipNorm is null or > 0, "clipNorm", ClipNorm ?? 0, "above 0");
        if (Kind == OptimizerKind.Sgd && Nesterov && Momentum == 0)
        {
            throw new InvalidOptionException("optimizer.nesterov = true needs optimizer.momentum above 0 (0.9 is usual).");
        }
    }

    private static void Require(bool holds, string field, double value, string allowed)
    {
        if (!holds)
        {
            throw new InvalidOptionException($"optimizer.{field} = {value.ToString(CultureInfo.InvariantCulture)} is out of range: allowed is {allowed}.");
        }
    }
}
