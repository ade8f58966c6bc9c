using Spk.Engine.Autograd;
using Spk.Engine.Collectives;
using Spk.Engine.Encoders;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Checkpoints;
using Spk.Training.Data;
using Spk.Training.Positives;

namespace Spk.Training.Objectives;

/// <summary>
/// MoCo v2 (He et al., CVPR 2020; methods.md 6): queries of the trained encoder find the key of their utterance's other crop, made by a
/// momentum encoder, among the keys of past batches. With two queues both crops are queries; margins as in NT-Xent.
/// </summary>
public sealed class Moco : Objective
{
    /// <summary>Prefix of the parameters of the momentum encoder.</summary>
    public const string MomentumPrefix = "momentum.";

    private readonly ObjectiveSpec _spec;
    private readonly MomentumEncoder _momentum;
    private readonly Projector? _projector, _momentumProjector;
    private readonly Func<Tensor, Tensor> _keysOf;
    private readonly KeyQueue[] _queues;
    private readonly KeyShuffle? _shuffle;
    private readonly PositiveSampling? _sampling;
    private readonly Tensor[] _ownKeys, _keys;
    private readonly SimilarityStatistics[] _statistics;
    private readonly int[] _speakers;
    private Tensor? _labels;
    private StepPlace _place;

    /// <summary>Makes the objective.</summary>
    /// <param name="spec">Queues, momentum, temperature, margin and mask.</param>
    /// <param name="positives">Where positives come from.</param>
    /// <param name="context">What it is built for.</param>
    /// <exception cref="InvalidOptionException">Other than two views, a mask without speaker labels, or a queue or groups that the batch does not divide.</exception>
    public Moco(ObjectiveSpec spec, PositiveSamplingSpec positives, ObjectiveContext context)
        : base(context)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(positives);
        ObjectiveRules.RequireTwoViews(spec, context);
        ObjectiveRules.RequireSpeakersForMask(spec, context);
        _spec = spec;
        _momentum = new MomentumEncoder(context, Parameters, spec.Momentum, MomentumPrefix + "encoder.");
        if (spec.Projector.For(Trained.EmbeddingSize) is { } projector)
        {
            _projector = new Projector(projector, Parameters, Prefix + "projector.");
            _momentumProjector = new Projector(projector, _momentum.Parameters, MomentumPrefix + "projector.");
        }

        int directions = spec.Symmetric ? 2 : 1, width = _projector?.Spec.Outputs ?? Trained.EmbeddingSize;
        _queues = new KeyQueue[directions];
        for (int i = 0; i < directions; i++)
        {
            var random = new CounterRandom(context.Seed, RandomPurpose.Queue, i);
            _queues[i] = new KeyQueue(context.Device, $"moco.queue.{i}", spec.QueueSize, context.Batch, width, random);
        }

        _keysOf = KeysOf;
        _ownKeys = new Tensor[directions];
        _keys = new Tensor[directions];
        _statistics = new SimilarityStatistics[directions];
        _speakers = new int[context.Batch];
        _shuffle = spec.KeyGroup > 0 ? new KeyShuffle(context, directions, spec.KeyGroup) : null;
        _sampling = PositiveSampling.Create(positives, context, directions, width, Trained.EmbeddingSize);
    }

    /// <inheritdoc/>
    public override ParameterSet MomentumParameters => _momentum.Parameters;

    /// <inheritdoc/>
    public override ObjectiveStatistics Statistics
    {
        get
        {
            float positive = 0, negative = 0, hit = 0;
            foreach (var one in _statistics)
            {
                positive += one.MeanPositiveCosine / _statistics.Length;
                negative += one.MeanNegativeCosine / _statistics.Length;
                hit += one.TopOneRate / _statistics.Length;
            }

            return new ObjectiveStatistics(positive, negative, hit);
        }
    }

    /// <inheritdoc/>
    public override long ReplayKey => BitConverter.SingleToUInt32Bits(_place.Margin) | ((long)(_sampling?.Mode ?? 0) << 32);

    /// <inheritdoc/>
    public override void Allocate(ulong seed)
    {
        base.Allocate(seed);
        _momentum.Allocate();
    }

    /// <inheritdoc/>
    public override bool NeedsReferences(long epoch) => _sampling?.Collects(epoch) ?? false;

    /// <inheritdoc/>
    public override void BeginEpoch(long epoch, CancellationToken cancellation) => _sampling?.BeginEpoch(epoch, cancellation);

    /// <inheritdoc/>
    public override void Prepare(TrainingBatch batch, in StepPlace place)
    {
        ArgumentNullException.ThrowIfNull(batch);
        _place = place;
        batch.Speakers.CopyTo(_speakers);
        _shuffle?.Prepare(place);
        _sampling?.Prepare(batch, place);
        if (_spec.OracleMask)
        {
            _labels = batch.Device.Workspace.Rent(new Shape(batch.Size), ElementType.Int32);
            _labels.CopyIntsFrom(batch.Speakers);
        }
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, in StepFeatures features)
    {
        int batch = Context.Batch;
        bool both = _queues.Length == 2;
        Embeddings = Trained.Forward(tape, features.Views, training: true);
        var queries = GatherViews.Forward(tape, _projector?.Forward(tape, Embeddings, training: true) ?? Embeddings, Context.Views);

        // With one direction the first crops are the queries and the second ones the keys.
        int own = features.Views.Shape[0] / Context.Views;
        var keyFeatures = both ? features.Views : features.Views.Slice(own, own);
        var keys = L2Normalize.Forward(null, _shuffle?.Forward(_keysOf, keyFeatures) ?? GatherViews.Forward(null, KeysOf(keyFeatures), _queues.Length));
        _sampling?.Reference(Trained, features);
        for (int i = 0; i < _queues.Length; i++)
        {
            _ownKeys[i] = both ? keys.Slice(i * batch, batch) : keys;
            _keys[i] = _sampling?.Replace(null, _ownKeys[i], i) ?? _ownKeys[i];
        }

        if (!both)
        {
            return Direction(tape, queries.Slice(0, batch), 0);
        }

        return WeightedSum.Forward(tape, [Direction(tape, queries.Slice(0, batch), 1), Direction(tape, queries.Slice(batch, batch), 0)], [0.5f, 0.5f]);
    }

    /// <inheritdoc/>
    public override MovingAverage? MomentumAverage => _momentum.Following(_place.Step);

    /// <inheritdoc/>
    public override void Update()
    {
        _sampling?.Collect(_ownKeys);
        for (int i = 0; i < _queues.Length; i++)
        {
            _queues[i].Store(_keys[i], _speakers, _place.Step * Context.Batch);
        }
    }

    internal override void VisitState(StateVisitor visitor, long step)
    {
        foreach (var queue in _queues)
        {
            queue.VisitState(visitor);
        }

        _sampling?.VisitState(visitor, step);
    }

    internal override void CloseEpoch(ICollection<EpochFigure> figures) => _sampling?.CloseEpoch(figures);

    private Tensor KeysOf(Tensor features)
    {
        var embeddings = _momentum.Encoder.Forward(null, features, training: true);
        return _momentumProjector?.Forward(null, embeddings, training: true) ?? embeddings;
    }

    // Queries against the keys of one view and the queue of that view.
    private Tensor Direction(Tape? tape, Tensor queries, int view)
    {
        var options = new SimilaritySoftmaxOptions
        {
            Temperature = _spec.Temperature,
            Margin = _spec.MarginKind,
            MarginValue = _place.Margin,
            KeysAreNegatives = false,
            Memory = _queues[view].Keys,
            QueryLabels = _spec.OracleMask ? _labels : null,
            MemoryLabels = _spec.OracleMask ? _queues[view].Labels : null,
        };
        return SimilaritySoftmax.Forward(tape, queries, _keys[view], options, out _statistics[view]);
    }
}
