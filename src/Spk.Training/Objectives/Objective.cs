using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Models;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Checkpoints;
using Spk.Training.Data;
using Spk.Training.Positives;

namespace Spk.Training.Objectives;

/// <summary>
/// What a run minimises, with all networks it needs: the trained encoder, heads, momentum encoders, queues. The trainer owns the
/// step, so that no objective has a training loop of its own; it calls, in this order, <see cref="BeginEpoch"/> (before the first
/// step of an epoch), <see cref="Input"/>, <see cref="Prepare"/>, <see cref="Loss"/>, the optimiser with
/// <see cref="MomentumAverage"/>, <see cref="Update"/>.
/// </summary>
public abstract class Objective
{
    /// <summary>Prefix of the names of trained parameters that belong to no encoder.</summary>
    public const string Prefix = "objective.";

    /// <summary>Starts with the encoder that is trained.</summary>
    /// <param name="context">What it is built for.</param>
    /// <param name="encoderPrefix">Prefix of the encoder's parameters.</param>
    private protected Objective(ObjectiveContext context, string encoderPrefix = ModelKeys.EncoderPrefix)
    {
        Context = context;
        Parameters = new ParameterSet(context.Device);
        Trained = Encoder.Create(context.Encoder, Parameters, encoderPrefix);
        TrainedEncoderCount = Parameters.TrainableCount;
    }

    /// <summary>What it was built for.</summary>
    public ObjectiveContext Context { get; }

    /// <summary>Everything that gradients change.</summary>
    public ParameterSet Parameters { get; }

    /// <summary>Trained scalars of the encoder alone.</summary>
    public long TrainedEncoderCount { get; }

    /// <summary>The encoder that gradients change.</summary>
    public Encoder Trained { get; }

    /// <summary>The encoder that embeds once training is over; its parameters start with <see cref="ModelKeys.EncoderPrefix"/>.</summary>
    public virtual Encoder Encoder => Trained;

    /// <summary>The parameters of <see cref="Encoder"/>.</summary>
    public virtual ParameterSet EncoderParameters => Parameters;

    /// <summary>Parameters that follow the trained ones as a moving average; null where there are none.</summary>
    public virtual ParameterSet? MomentumParameters => null;

    /// <summary>Figures of the last <see cref="Loss"/>; read them before the workspace is reset.</summary>
    public abstract ObjectiveStatistics Statistics { get; }

    /// <summary>
    /// The trained encoder's embeddings of the last <see cref="Loss"/>, f32 [V·B, D], valid until the workspace is reset. Where processes train
    /// together, those of this process's rows.
    /// </summary>
    public Tensor Embeddings { get; private protected set; } = null!;

    /// <summary>Changes where <see cref="Loss"/> would compute with other arguments than before: a recording of it is then made anew.</summary>
    public abstract long ReplayKey { get; }

    /// <summary>Makes the objective a recipe asks for and declares its parameters.</summary>
    /// <param name="spec">Kind and settings.</param>
    /// <param name="positives">Where positives come from.</param>
    /// <param name="context">What it is built for.</param>
    /// <returns>The objective, without memory until <see cref="Allocate"/>.</returns>
    /// <exception cref="InvalidOptionException">The corpus or the batches do not have what the objective needs.</exception>
    public static Objective Create(ObjectiveSpec spec, PositiveSamplingSpec positives, ObjectiveContext context)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(positives);
        ArgumentNullException.ThrowIfNull(context);
        if (positives.Source != PositiveSource.SameUtterance && spec.Kind is not (ObjectiveKind.SimClr or ObjectiveKind.Moco or ObjectiveKind.Dino))
        {
            throw new InvalidOptionException($"ssps.source = {ObjectiveRules.Word(positives.Source)}: objective.kind {ObjectiveRules.Word(spec.Kind)} has no positives to replace; use simClr, moco or dino.");
        }

        return spec.Kind switch
        {
            ObjectiveKind.SimClr => new SimClr(spec, positives, context),
            ObjectiveKind.Moco => new Moco(spec, positives, context),
            ObjectiveKind.Dino => new Dino(spec, positives, context),
            ObjectiveKind.Supervised => new SpeakerClassifier(spec, context),
            ObjectiveKind.Cola => new Cola(spec, context),
            ObjectiveKind.Apc => new Apc(spec, context),
            _ => new DialogueContrast(spec, context),
        };
    }

    /// <summary>Makes memory and initial values.</summary>
    /// <param name="seed">The run's seed.</param>
    public virtual void Allocate(ulong seed) => Parameters.Allocate(seed);

    /// <summary>Whether the batches of an epoch must hold clean segments.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    public virtual bool NeedsReferences(long epoch) => false;

    /// <summary>Does what an epoch begins with, such as clustering.</summary>
    /// <param name="epoch">Epoch, from 0.</param>
    /// <param name="cancellation">Ends it early.</param>
    public virtual void BeginEpoch(long epoch, CancellationToken cancellation) { }

    /// <summary>The waves that features are computed of: those of the batch, or something made of them.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="place">Where in the run.</param>
    /// <returns>f32 [V·B, L].</returns>
    public virtual Tensor Input(TrainingBatch batch, in StepPlace place)
    {
        ArgumentNullException.ThrowIfNull(batch);
        return batch.Waves;
    }

    /// <summary>Brings to the device what the loss needs to know of a batch besides its features, such as labels.</summary>
    /// <param name="batch">The batch.</param>
    /// <param name="place">Where in the run.</param>
    public abstract void Prepare(TrainingBatch batch, in StepPlace place);

    /// <summary>
    /// Embeds the batch that was prepared last and compares: the loss, recorded on the tape. May itself be recorded and replayed: it
    /// reads nothing from the host.
    /// </summary>
    /// <param name="tape">Where backward steps are recorded; null to evaluate only.</param>
    /// <param name="features">Features of the batch.</param>
    /// <returns>A tensor of one element.</returns>
    public abstract Tensor Loss(Tape? tape, in StepFeatures features);

    /// <summary>
    /// What the optimiser's step is to take along: <see cref="MomentumParameters"/> as an average of <see cref="Parameters"/>; null where there are none.
    /// Read it after <see cref="Prepare"/>, which says at which step of the run the momentum is.
    /// </summary>
    public virtual MovingAverage? MomentumAverage => null;

    /// <summary>Follows a step of the optimiser, which has moved momentum encoders already: queues, centres.</summary>
    public virtual void Update() { }

    /// <summary>Shows a checkpoint everything besides parameters that the next step depends on.</summary>
    /// <param name="visitor">Writes it or puts it back.</param>
    /// <param name="step">Steps done.</param>
    internal virtual void VisitState(StateVisitor visitor, long step) { }

    /// <summary>Figures of the epoch that ends, for the log; counters start anew.</summary>
    /// <param name="figures">Receives them.</param>
    internal virtual void CloseEpoch(ICollection<EpochFigure> figures) { }

    /// <summary>A collapse that the objective itself can see, as a sentence; null for none.</summary>
    internal virtual string? Warning(ObjectiveStatistics statistics) => null;
}

/// <summary>A named figure of an epoch.</summary>
/// <param name="Name">Key in the log, such as "sspsCoverage".</param>
/// <param name="Value">NaN where it is not known.</param>
internal readonly record struct EpochFigure(string Name, double Value);
