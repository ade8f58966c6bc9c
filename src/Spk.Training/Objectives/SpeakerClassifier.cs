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
    private readonly int[] _classes, _labelsOfBatch;
    private SimilarityStatistics _statistics;
    private Tensor? _labels;
    private float _margin;

    /// <summary>Makes the objective and declares its class weights, [speakers that are trained on, embedding size].</summary>
    /// <param name="spec">Margin and scale.</param>
    /// <param name="context">What it is built for.</param>
    /// <exception cref="InvalidOptionException">The utterances to train on have fewer than two speakers.</exception>
    public SpeakerClassifier(ObjectiveSpec spec, ObjectiveContext context)
        : base(context)
    {
        ArgumentNullException.ThrowIfNull(spec);
        int classes = NumberClasses(context, out _classes);
        if (classes < 2)
        {
            throw new InvalidOptionException(
                $"objective.kind = supervised: the training manifest names {classes} speakers to train on and needs 2 or more; add a speaker column, leave out limits, or use simClr.");
        }

        _spec = spec;
        _labelsOfBatch = new int[context.Batch];
        _weight = Parameters.Add(
            Prefix + "weight", new Shape(classes, Trained.EmbeddingSize), Initializer.XavierNormal(Trained.EmbeddingSize, classes));
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
        for (int row = 0; row < _labelsOfBatch.Length; row++)
        {
            int speaker = batch.Speakers[row];
            _labelsOfBatch[row] = speaker < 0 ? speaker : _classes[speaker];
        }

        _labels = batch.Device.Workspace.Rent(new Shape(Context.Views, batch.Size), ElementType.Int32);
        for (int view = 0; view < Context.Views; view++)
        {
            _labels.Slice(view, 1).CopyIntsFrom(_labelsOfBatch);
        }
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, in StepFeatures features)
    {
        Embeddings = Trained.Forward(tape, features.Views, training: true);
        return Classify(tape, Embeddings);
    }

    // A class for every speaker with an utterance to train on, in the order of the manifest: those held back or left out have none.
    private static int NumberClasses(ObjectiveContext context, out int[] classes)
    {
        classes = new int[context.Speakers];
        if (context.Corpus is not { } corpus)
        {
            return 0;
        }

        Array.Fill(classes, -1);
        int all = context.Utterances.Count > 0 ? context.Utterances.Count : corpus.Count;
        for (int i = 0; i < all; i++)
        {
            if (corpus.SpeakerOf(context.Utterances.Count > 0 ? context.Utterances[i] : i) is >= 0 and int speaker)
            {
                classes[speaker] = 0;
            }
        }

        int count = 0;
        foreach (ref int number in classes.AsSpan())
        {
            number = number < 0 ? number : count++;
        }

        return count;
    }

    /// <summary>The loss of embeddings, f32 [V·B, D].</summary>
    internal Tensor Classify(Tape? tape, Tensor embeddings)
    {
        var labels = _labels ?? throw new InvalidOperationException("Call Prepare with the batch first.");
        return MarginClassifier.Forward(tape, embeddings, _weight, labels, _spec.MarginKind, _spec.Scale, _margin, out _statistics);
    }
}
