using Spk.Engine.Autograd;
using Spk.Engine.Collectives;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Checkpoints;
using Spk.Training.Data;
using Spk.Training.Positives;

namespace Spk.Training.Objectives;

/// <summary>
/// SimCLR with the NT-Xent loss (Chen et al., ICML 2020), optionally with a margin on the positive (NT-Xent-AM and -AAM,
/// methods.md 5.1): two crops of one utterance attract, all other crops of the batch repel.
/// </summary>
public sealed class SimClr : Objective
{
    private readonly ObjectiveSpec _spec;
    private readonly Projector? _projector;
    private readonly PositiveSampling? _sampling;
    private Tensor? _collisionLabels, _second;
    private SimilarityStatistics _statistics;
    private float _margin;

    /// <summary>Makes the objective.</summary>
    /// <param name="spec">Temperature, direction, margin and mask.</param>
    /// <param name="positives">Where positives come from.</param>
    /// <param name="context">What it is built for.</param>
    /// <exception cref="InvalidOptionException">Other than two views, or a mask without speaker labels.</exception>
    public SimClr(ObjectiveSpec spec, PositiveSamplingSpec positives, ObjectiveContext context)
        : base(context)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(positives);
        ObjectiveRules.RequireTwoViews(spec, context);
        ObjectiveRules.RequireSpeakersForMask(spec, context);
        _spec = spec;
        _projector = spec.Projector.For(Trained.EmbeddingSize) is { } projector ? new Projector(projector, Parameters, Prefix + "projector.") : null;
        _sampling = PositiveSampling.Create(positives, context, queues: 1, _projector?.Spec.Outputs ?? Trained.EmbeddingSize, Trained.EmbeddingSize);
    }

    /// <inheritdoc/>
    public override ObjectiveStatistics Statistics =>
        new(_statistics.MeanPositiveCosine, _statistics.MeanNegativeCosine, _statistics.TopOneRate);

    /// <inheritdoc/>
    public override long ReplayKey => BitConverter.SingleToUInt32Bits(_margin) | ((long)(_sampling?.Mode ?? 0) << 32);

    /// <inheritdoc/>
    public override bool NeedsReferences(long epoch) => _sampling?.Collects(epoch) ?? false;

    /// <inheritdoc/>
    public override void BeginEpoch(long epoch, CancellationToken cancellation) => _sampling?.BeginEpoch(epoch, cancellation);

    /// <inheritdoc/>
    public override void Prepare(TrainingBatch batch, in StepPlace place)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _margin = place.Margin;
        _sampling?.Prepare(batch, place);
        if (_spec.OracleMask)
        {
            _collisionLabels = batch.Device.Workspace.Rent(new Shape(batch.Size), ElementType.Int32);
            _collisionLabels.CopyIntsFrom(batch.Speakers);
        }
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, in StepFeatures features)
    {
        Embeddings = Trained.Forward(tape, features.Views, training: true);
        var projections = GatherViews.Forward(tape, _projector?.Forward(tape, Embeddings, training: true) ?? Embeddings, Context.Views);
        _second = projections.Slice(Context.Batch, Context.Batch);
        _sampling?.Reference(Trained, features);
        return Compare(tape, projections.Slice(0, Context.Batch), _sampling?.Replace(tape, _second, 0) ?? _second);
    }

    /// <summary>The loss of two views of a batch, f32 [B, D] each.</summary>
    internal Tensor Compare(Tape? tape, Tensor first, Tensor second)
    {
        var options = new SimilaritySoftmaxOptions
        {
            Temperature = _spec.Temperature,
            Symmetric = _spec.Symmetric,
            Margin = _spec.MarginKind,
            MarginValue = _margin,
            QueryLabels = _spec.OracleMask ? _collisionLabels : null,
        };
        return SimilaritySoftmax.Forward(tape, first, second, options, out _statistics);
    }

    /// <inheritdoc/>
    public override void Update() => _sampling?.Collect(_second!);

    internal override void VisitState(StateVisitor visitor, long step) => _sampling?.VisitState(visitor, step);

    internal override void CloseEpoch(ICollection<EpochFigure> figures) => _sampling?.CloseEpoch(figures);
}
