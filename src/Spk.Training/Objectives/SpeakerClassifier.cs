using Spk.Engine.Autograd;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Objectives;

/// <summary>
/// Classification of the manifest's speakers with a margin softmax (AAM: Deng et al., "ArcFace", CVPR 2019): the supervised
/// reference that self-supervised objectives are measured against.
/// </summary>
public sealed class SpeakerClassifier : Objective
{
    private readonly ObjectiveSpec _spec;
    private readonly Parameter _weight;
    private readonly int _views;
    private Tensor? _labels;

    /// <summary>Makes the objective and declares its class weights, [speakers, embedding size].</summary>
    /// <param name="spec">Margin and scale.</param>
    /// <param name="context">What it is built for.</param>
    /// <param name="parameters">Where the weights are declared.</param>
    /// <exception cref="InvalidOptionException">The manifest names fewer than two speakers.</exception>
    public SpeakerClassifier(ObjectiveSpec spec, ObjectiveContext context, ParameterSet parameters)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(parameters);
        if (context.Speakers < 2)
        {
            throw new InvalidOptionException(
                $"objective.kind = supervised: the training manifest names {context.Speakers} speakers and needs 2 or more; add a speaker column or use simClr.");
        }

        _spec = spec;
        _views = context.Views;
        _weight = parameters.Add(
            Prefix + "weight",
            new Shape(context.Speakers, context.EmbeddingSize),
            Initializer.XavierNormal(context.EmbeddingSize, context.Speakers));
    }

    /// <inheritdoc/>
    public override void Prepare(TrainingBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _labels = batch.Waves.Device.Workspace.Rent(new Shape(_views, batch.Size), ElementType.Int32);
        for (int view = 0; view < _views; view++)
        {
            _labels.Slice(view, 1).CopyIntsFrom(batch.Speakers);
        }
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, Tensor embeddings, float margin)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        var labels = _labels ?? throw new InvalidOperationException("Call Prepare with the batch first.");
        var loss = MarginClassifier.Forward(tape, embeddings, _weight, labels, _spec.MarginKind, _spec.Scale, margin, out var statistics);
        LastStatistics = statistics;
        return loss;
    }
}
