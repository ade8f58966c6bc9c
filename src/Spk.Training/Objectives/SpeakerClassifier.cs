using Spk.Engine.Autograd;
using Spk.Engine.Collectives;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Checkpoints;
using Spk.Training.Data;

namespace Spk.Training.Objectives;

/// <summary>
/// Classification of utterances by the manifest's speakers, the supervised reference that self-supervised objectives are measured against, or by
/// pseudo-labels (methods.md 13), with any of the heads and with mixed rows.
/// </summary>
public sealed class SpeakerClassifier : Objective
{
    private readonly ObjectiveSpec _spec;
    private readonly ClassLabels _classes;
    private readonly Parameter _weight;
    private readonly Parameter? _bias;
    private readonly Tensor? _lengths;
    private readonly RowMixer? _mixer;
    private readonly int[] _rowLabels;
    private SimilarityStatistics _statistics;
    private Tensor? _labels, _accuracy;
    private RowMix? _mix;
    private LabelMix? _labelMix;
    private float _margin;

    /// <summary>Makes the objective and declares its class weights, [classes · sub-centres, embedding size].</summary>
    /// <param name="spec">Head, margin and scale.</param>
    /// <param name="context">What it is built for.</param>
    /// <exception cref="InvalidOptionException">There are fewer than two classes.</exception>
    public SpeakerClassifier(ObjectiveSpec spec, ObjectiveContext context)
        : base(context)
    {
        ArgumentNullException.ThrowIfNull(spec);
        _classes = context.Labels ?? (context.Corpus is null ? ClassLabels.Unknown(0) : ClassLabels.OfSpeakers(context.Corpus, context.Utterances));
        if (_classes.Count < 2)
        {
            throw new InvalidOptionException(
                $"objective.kind = supervised: the training manifest names {_classes.Count} speakers to train on and needs 2 or more; add a speaker column, leave out limits, set data.labels.file or use simClr.");
        }

        _spec = spec;
        int size = Trained.EmbeddingSize;
        bool plain = spec.Head.Kind == ClassifierHead.Softmax;
        _weight = Parameters.Add(
            Prefix + "weight", new Shape(_classes.Count * spec.Head.SubCentres, size),
            plain ? Initializer.UniformFanIn(size) : Initializer.XavierNormal(size, _classes.Count * spec.Head.SubCentres));
        _bias = plain ? Parameters.Add(Prefix + "bias", new Shape(_classes.Count), Initializer.UniformFanIn(size)) : null;
        _lengths = spec.Head.Kind == ClassifierHead.AdaFace ? context.Device.AllocatePersistent(new Shape(AdaptiveMargin.StateSize)) : null;
        _rowLabels = new int[context.Views * context.Batch];
        _mixer = spec.Mix.Kind == MixKind.None ? null : new RowMixer(spec.Mix, _rowLabels.Length, context.Seed);
    }

    /// <inheritdoc/>
    public override ObjectiveStatistics Statistics => _accuracy is { } accuracy
        ? new(float.NaN, float.NaN, Scalar(accuracy)) // No cosines are compared.
        : new(_statistics.MeanPositiveCosine, _statistics.MeanNegativeCosine, _statistics.TopOneRate);

    /// <inheritdoc/>
    public override long ReplayKey => BitConverter.SingleToUInt32Bits(_margin);

    /// <inheritdoc/>
    public override Tensor Input(TrainingBatch batch, in StepPlace place)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (_mixer is null)
        {
            return batch.Waves;
        }

        _mixer.Draw(place.Step);
        var mix = _mixer.Upload(batch.Device);
        _mix = mix;
        return _spec.Mix.Kind == MixKind.Input ? MixRows.Forward(null, batch.Waves, mix) : batch.Waves;
    }

    /// <inheritdoc/>
    public override void Prepare(TrainingBatch batch, in StepPlace place)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _margin = place.Margin;
        for (int i = 0; i < _rowLabels.Length; i++)
        {
            _rowLabels[i] = _classes.Of(batch.CropUtterances[i]);
        }

        _labels = batch.Device.Workspace.Rent(new Shape(_rowLabels.Length), ElementType.Int32);
        _labels.CopyIntsFrom(_rowLabels);
        _labelMix = _mix is { } mix ? _mixer!.Labels(_rowLabels, mix) : null;
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, in StepFeatures features)
    {
        Embeddings = Trained.Forward(tape, features.Views, training: true, _spec.Mix.Kind == MixKind.Pooled ? _mix : null);
        var all = GatherViews.Forward(tape, Embeddings, Context.Views);
        return Classify(tape, _spec.Mix.Kind == MixKind.Embedding ? MixRows.Forward(tape, all, _mix!.Value) : all);
    }

    /// <summary>The loss of embeddings, f32 [V·B, D].</summary>
    internal Tensor Classify(Tape? tape, Tensor embeddings)
    {
        var labels = _labels ?? throw new InvalidOperationException("Call Prepare with the batch first.");
        var head = _spec.Head;
        switch (head.Kind)
        {
            case ClassifierHead.Softmax:
                return CrossEntropy.Forward(tape, Linear.Forward(tape, embeddings, _weight.Value, _bias!.Value), labels, _labelMix, out _accuracy);
            case ClassifierHead.OcSoftmax:
                var oneClass = new OneClassOptions
                {
                    TargetCosine = head.TargetCosine,
                    OtherCosine = head.OtherCosine,
                    Scale = _spec.Scale,
                    Reduction = head.TopNegatives == 0 ? OneClassReduction.MeanAll : OneClassReduction.TargetPlusHardest,
                    Hardest = Math.Max(1, head.TopNegatives),
                    Mix = _labelMix,
                };
                return OneClassSoftmax.Forward(tape, embeddings, _weight, labels, oneClass, out _statistics);
            default:
                var options = new MarginClassifierOptions
                {
                    Kind = _lengths is null ? _spec.MarginKind : MarginKind.None,
                    Scale = _spec.Scale,
                    Margin = _margin,
                    Adaptive = _lengths is null ? null : new AdaptiveMargin(_lengths) { Concentration = head.Concentration, Rate = head.Rate },
                    SubCentres = head.SubCentres,
                    HardNegatives = head.HardNegatives,
                    HardMargin = head.HardMargin,
                    Mix = _labelMix,
                };
                return MarginClassifier.Forward(tape, embeddings, _weight, labels, options, out _statistics);
        }
    }

    private static float Scalar(Tensor tensor)
    {
        Span<float> value = stackalloc float[1];
        tensor.CopyTo(value);
        return value[0];
    }

    /// <inheritdoc/>
    internal override void VisitState(StateVisitor visitor, long step)
    {
        if (_lengths is not null)
        {
            visitor.Visit("lengths", _lengths);
        }
    }
}
