using System.Globalization;
using Spk.Interop;

namespace Spk.Training.Optimization;

/// <summary>Shape of the learning rate over a run.</summary>
public enum LearningRateKind
{
    /// <summary>The base rate throughout.</summary>
    Constant,

    /// <summary>base · decay^⌊epoch / every⌋.</summary>
    Step,

    /// <summary>min + ½ (base − min) (1 + cos(π · step / steps)).</summary>
    Cosine,

    /// <summary>base · (min / base)^(step / steps).</summary>
    Exponential,
}

/// <summary>
/// Learning rate of every step. A warm-up rises linearly from 0 to the base rate, both included; the rest of the run follows
/// <see cref="Kind"/>.
/// </summary>
/// <remarks>
/// After a warm-up, cosine and exponential run over the steps that are left, so that they end at the minimum. sslsv appends a cosine of
/// full length instead and stops before its end: <see cref="CosineSteps"/> gives that form.
/// </remarks>
public sealed record LearningRateSchedule
{
    /// <summary>Shape after the warm-up.</summary>
    public LearningRateKind Kind { get; init; } = LearningRateKind.Step;

    /// <summary>Base rate, above 0.</summary>
    public double Base { get; init; } = 1e-3;

    /// <summary>Rate at the end, for cosine (0 or more) and exponential (above 0); at most the base rate.</summary>
    public double Minimum { get; init; } = 1e-5;

    /// <summary>Factor of the step shape, above 0 to 1.</summary>
    public double Decay { get; init; } = 0.95;

    /// <summary>Epochs between two factors of the step shape, 1 or more.</summary>
    public int DecayEveryEpochs { get; init; } = 5;

    /// <summary>Steps of linear warm-up, 0 or more.</summary>
    public long WarmupSteps { get; init; }

    /// <summary>Steps of an epoch, 1 or more; the step shape counts epochs from the start of the run.</summary>
    public long StepsPerEpoch { get; init; } = 1;

    /// <summary>Steps of the whole run, warm-up included, 1 or more.</summary>
    public long TotalSteps { get; init; } = 1;

    /// <summary>Length of the cosine or exponential where it is not the rest of the run; null is the rest.</summary>
    public long? CosineSteps { get; init; }

    /// <summary>Checks every field.</summary>
    /// <exception cref="InvalidOptionException">A field is out of range; the message names it.</exception>
    public void Validate()
    {
        Require(Enum.IsDefined(Kind), "kind", (double)Kind, "constant, step, cosine or exponential");
        Require(Base > 0 && double.IsFinite(Base), "base", Base, "above 0");
        bool minimumHolds = Minimum <= Base && (Kind == LearningRateKind.Exponential ? Minimum > 0 : Minimum >= 0);
        Require(minimumHolds || Kind is LearningRateKind.Constant or LearningRateKind.Step, "minimum", Minimum, "0 (exponential: above 0) to the base rate");
        Require(Decay > 0 && Decay <= 1, "decay", Decay, "above 0 to 1");
        Require(DecayEveryEpochs >= 1, "decayEveryEpochs", DecayEveryEpochs, "1 or more");
        Require(WarmupSteps >= 0, "warmupSteps", WarmupSteps, "0 or more");
        Require(StepsPerEpoch >= 1, "stepsPerEpoch", StepsPerEpoch, "1 or more");
        Require(TotalSteps >= 1, "totalSteps", TotalSteps, "1 or more");
        Require(CosineSteps is null or >= 1, "cosineSteps", CosineSteps ?? 0, "1 or more");
    }

    /// <summary>Rate of one step.</summary>
    /// <param name="step">0 for the first step of the run.</param>
    /// <returns>The rate; beyond the end of a cosine or exponential, the minimum.</returns>
    public double At(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        if (step < WarmupSteps)
        {
            return WarmupSteps == 1 ? 0 : Base * step / (WarmupSteps - 1);
        }

        long length = CosineSteps ?? Math.Max(1, TotalSteps - WarmupSteps);
        double done = Math.Min(1, (double)(step - WarmupSteps) / length);
        return Kind switch
        {
            LearningRateKind.Constant => Base,
            LearningRateKind.Step => Base * Math.Pow(Decay, step / StepsPerEpoch / DecayEveryEpochs),
            LearningRateKind.Cosine => Minimum + (0.5 * (Base - Minimum) * (1 + Math.Cos(Math.PI * done))),
            _ => Base * Math.Pow(Minimum / Base, done),
        };
    }

    private static void Require(bool holds, string field, double value, string allowed)
    {
        if (!holds)
        {
            throw new InvalidOptionException($"learningRate.{field} = {value.ToString(CultureInfo.InvariantCulture)} is out of range: allowed is {allowed}.");
        }
    }
}
