using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Optim;
using Spk.Training.Optimization;

namespace Spk.Training.Objectives;

/// <summary>
/// A second encoder whose parameters are a moving average of the trained ones (He et al. 2020). Its batch-norm statistics are its
/// own: they evolve by its forward passes.
/// </summary>
internal sealed class MomentumEncoder
{
    private readonly ParameterSet _trained;
    private readonly MomentumSchedule _schedule;

    /// <summary>Declares the encoder; heads are declared by the caller, in the order of the trained ones.</summary>
    /// <param name="context">What the objective is built for.</param>
    /// <param name="trained">The parameters to follow.</param>
    /// <param name="spec">The momentum.</param>
    /// <param name="encoderPrefix">Prefix of the encoder's parameters.</param>
    public MomentumEncoder(ObjectiveContext context, ParameterSet trained, MomentumSpec spec, string encoderPrefix)
    {
        _trained = trained;
        Parameters = new ParameterSet(context.Device);
        Encoder = Encoder.Create(context.Encoder, Parameters, encoderPrefix);
        _schedule = new MomentumSchedule { Base = spec.Start, Rises = spec.Curve == MomentumCurve.Cosine, TotalSteps = Math.Max(1, context.Steps) };
        _schedule.Validate();
    }

    /// <summary>Its parameters, laid out like the trained ones.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>The encoder.</summary>
    public Encoder Encoder { get; }

    /// <summary>Makes its memory as a copy of the trained parameters, which have theirs.</summary>
    public void Allocate()
    {
        Parameters.Allocate(0);
        if (Parameters.Values.Count != _trained.Values.Count || Parameters.Buffers.Count != _trained.Buffers.Count)
        {
            throw new InvalidOperationException("The momentum encoder and the trained one declare different parameters.");
        }

        Ema.Step(Parameters.Values, _trained.Values, 0);
        foreach (var (mine, theirs) in Parameters.Buffers.Zip(_trained.Buffers))
        {
            Add.Copy(null, theirs.Value, mine.Value);
        }
    }

    /// <summary>What the optimiser is to do with its parameters as it moves the trained ones.</summary>
    /// <param name="step">The step, from 0.</param>
    public MovingAverage Following(long step) => new(Parameters.Values, _schedule.At(step));
}
