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
    private SimilarityStatistics _statistics;
    private Tensor? _labels;
    private float _margin;

    /// <summary>Makes the objective and declares its class weights, [speakers, embedding size].</summary>
    /// <param name="spec">Margin and scale.</param>
    /// <param name="context">What it is built for.</param>
    /// <exception cref="InvalidOptionException">The manifest names fewer than two speakers.</exception>
    public SpeakerClassifier(ObjectiveSpec spec, ObjectiveContext context)
        : base(context)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (context.Speakers < 2)
        {
            throw new InvalidOptionException(
                $"objective.kind = supervised: the training manifest names {context.Speakers} speakers and needs 2 or more; add a speaker column or use simClr.");
        }

        _spec = spec;
        _weight = Parameters.Add(
            Prefix + "weight",
            new Shape(context.Speakers, Trained.EmbeddingSize),
            Initializer.XavierNormal(Trained.EmbeddingSize, context.Speakers));
    }

    /// <inheritdoc/>
    public override ObjectiveStatistics Statistics =>
        new(_statistics.MeanPositiveCosine, _statistics.MeanNegativeCosine, _statistics.TopOneRate);

    /// <inheritdoc/>
    public override long ReplayKey => BitConverter.SingleToUInt32Bits(_margin);

    /// <inheritdoc/>
    public override void Prepare(TrainingBatch batch, in StepPlace place)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _margin = place.Margin;
        _labels = batch.Device.Workspace.Rent(new Shape(Context.Views, batch.Size), ElementType.Int32);
        for (int view = 0; view < Context.Views; view++)
        {
            _labels.Slice(view, 1).CopyIntsFrom(batch.Speakers);
        }
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, in StepFeatures features)
    {
        Embeddings = EmbedViews(tape, features);
        return Classify(tape, Embeddings);
    }

    /// <summary>The loss of embeddings, f32 [V·B, D].</summary>
    internal Tensor Classify(Tape? tape, Tensor embeddings)
    {
        var labels = _labels ?? throw new InvalidOperationException("Call Prepare with the batch first.");
        return MarginClassifier.Forward(tape, embeddings, _weight, labels, _spec.MarginKind, _spec.Scale, _margin, out _statistics);
    }
}
