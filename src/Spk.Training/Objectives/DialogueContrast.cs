using Spk.Engine.Autograd;
using Spk.Engine.Collectives;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Checkpoints;
using Spk.Training.Data;

namespace Spk.Training.Objectives;

/// <summary>
/// Utterances of one dialogue, or of one speaker, attract and those of other rows repel: AvA, angular prototypical loss and GE2E
/// (methods.md 10), with soft rejection of dialogues that seem to have several speakers.
/// </summary>
public sealed class DialogueContrast : Objective
{
    private readonly ObjectiveSpec _spec;
    private readonly Parameter _scale, _offset;
    private readonly SoftRejection _rejection;

    /// <summary>Makes the objective and declares its scale and offset.</summary>
    /// <param name="spec">Kind, scale and rejection.</param>
    /// <param name="context">What it is built for.</param>
    /// <exception cref="InvalidOptionException">Fewer than two views, or fewer than two rows.</exception>
    public DialogueContrast(ObjectiveSpec spec, ObjectiveContext context)
        : base(context)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (context.Views < 2)
        {
            throw new InvalidOptionException($"data.views = {context.Views}: objective.kind {ObjectiveRules.Word(spec.Kind)} compares the utterances of a dialogue and needs 2 or more.");
        }

        _spec = spec;
        var dialogue = spec.Dialogue;

        // Only GE2E with contrast feels the offset: in the softmaxes its gradient is 0.
        _scale = Declare("scale", dialogue.Scale, dialogue.LearnScale);
        _offset = Declare("offset", dialogue.Offset, dialogue.LearnScale && spec is { Kind: ObjectiveKind.Ge2e, Dialogue.Form: Ge2eForm.Contrast });
        _rejection = new SoftRejection(dialogue.Rejection, context);
    }

    /// <inheritdoc/>
    public override ObjectiveStatistics Statistics => new(_rejection.Compactness, float.NaN, float.NaN);

    /// <inheritdoc/>
    public override long ReplayKey => _rejection.ReplayKey;

    /// <inheritdoc/>
    public override void Prepare(TrainingBatch batch, in StepPlace place)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _rejection.Prepare(batch, place);
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, in StepFeatures features)
    {
        Embeddings = Trained.Forward(tape, features.Views, training: true);
        return Compare(tape, GatherViews.Forward(tape, Embeddings, Context.Views));
    }

    /// <summary>The loss of embeddings, f32 [M·N, D], view-major.</summary>
    internal Tensor Compare(Tape? tape, Tensor embeddings)
    {
        var weights = _rejection.Weigh(embeddings);
        return _spec.Kind switch
        {
            ObjectiveKind.Ava => AllVersusAll.Forward(tape, embeddings, Context.Views, _scale.Value, weights),
            ObjectiveKind.AngularPrototypical => AngularPrototypical.Forward(tape, embeddings, Context.Views, _scale.Value, weights),
            _ => Ge2e.Forward(
                tape, embeddings, Context.Views, _scale.Value, _offset.Value, new Ge2eOptions { Form = _spec.Dialogue.Form, Weights = weights }),
        };
    }

    /// <inheritdoc/>
    public override void Update() => _rejection.Update();

    internal override void VisitState(StateVisitor visitor, long step) => _rejection.VisitState(visitor);

    internal override void CloseEpoch(ICollection<EpochFigure> figures) => _rejection.CloseEpoch(figures);

    private Parameter Declare(string name, float value, bool learned) => learned
        ? Parameters.Add(Prefix + name, new Shape(1), Initializer.Constant(value))
        : Parameters.AddBuffer(Prefix + name, new Shape(1), value);
}
