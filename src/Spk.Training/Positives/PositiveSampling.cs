using Spk.Engine.Autograd;
using Spk.Engine.Collectives;
using Spk.Engine.Encoders;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Score;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Checkpoints;
using Spk.Training.Data;
using Spk.Training.Objectives;

namespace Spk.Training.Positives;

/// <summary>
/// SSPS at work in a run: collects references and past positives, clusters at the beginning of epochs, and puts stored positives in
/// the place of the batch's own. See <see cref="PositiveSamplingSpec"/>.
/// </summary>
/// <remarks>
/// Deviations from the authors' program: the queue is one ring over the run, so that it always holds the latest rows; an utterance that
/// an epoch's last batch dropped keeps its older reference; the anchor itself is never drawn.
/// </remarks>
internal sealed class PositiveSampling
{
    private readonly PositiveSamplingSpec _spec;
    private readonly ObjectiveContext _context;
    private readonly ReferenceTable _references;
    private readonly PositiveIndex _index;
    private readonly PositiveCounters _counters;
    private readonly Tensor[] _queues;
    private readonly Tensor? _queueReferences, _centroidBank;
    private readonly int[] _rows, _utterances;
    private readonly float[] _batchReferences;
    private readonly int[] _nearest;
    private readonly int _queueRows, _referenceSize;
    private float[] _centroids = [];
    private Tensor? _selected, _reference;
    private StepPlace _place;
    private bool _hasClusters;

    private PositiveSampling(PositiveSamplingSpec spec, ObjectiveContext context, int queues, int width, int referenceSize)
    {
        (_spec, _context, _referenceSize) = (spec, context, referenceSize);
        var corpus = context.Corpus ?? throw new InvalidOptionException($"ssps.source = {spec.Source}: positives can only be sampled from a corpus.");
        _queueRows = spec.QueueSize / context.Batch * context.Batch;
        if (_queueRows == 0)
        {
            throw new InvalidOptionException($"ssps.queueSize = {spec.QueueSize} does not hold one batch of {context.Batch}: raise it.");
        }

        _references = new ReferenceTable(corpus.Count, context.Utterances, referenceSize);
        int collected = context.BatchesPerEpoch * context.Batch;
        if (spec.Source != PositiveSource.Nearest && spec.Clusters > collected)
        {
            throw new InvalidOptionException($"ssps.clusters = {spec.Clusters} is more than the {collected} utterances of an epoch: use fewer clusters.");
        }

        if (spec.Source == PositiveSource.Centroid && width != referenceSize)
        {
            throw new InvalidOptionException(
                $"ssps.source = centroid: the loss compares {width} elements where centroids have {referenceSize}: use no projector, or source clusters.");
        }

        _index = new PositiveIndex(corpus.Count, _queueRows, spec);
        _counters = new PositiveCounters(corpus);
        _queues = new Tensor[queues];
        for (int i = 0; i < queues; i++)
        {
            _queues[i] = context.Device.AllocatePersistent(new Shape(_queueRows, width));
        }

        _queueReferences = spec.Source == PositiveSource.Nearest ? context.Device.AllocatePersistent(new Shape(_queueRows, referenceSize)) : null;
        _centroidBank = spec.Source == PositiveSource.Centroid ? context.Device.AllocatePersistent(new Shape(spec.Clusters, referenceSize)) : null;
        _rows = new int[context.Batch];
        _utterances = new int[context.Batch];
        _batchReferences = new float[context.Batch * referenceSize];

        // The anchor itself is among the nearest, and each utterance has a row of every epoch that the queue reaches into.
        int rowsOfUtterance = ((_queueRows - 1) / collected) + 2;
        _nearest = new int[context.Batch * Math.Min(_queueRows, (spec.Neighbours + 1) * rowsOfUtterance)];
    }

    /// <summary>0 before anything is collected, 1 while collecting, 2 while positives are replaced: what is computed in a step.</summary>
    public int Mode => !Collects(_place.Epoch) ? 0 : Replaces(_place.Epoch) ? 2 : 1;

    /// <summary>Makes it where a recipe asks for it.</summary>
    /// <param name="spec">What to sample.</param>
    /// <param name="context">What the objective was built for.</param>
    /// <param name="queues">Views of every positive that are stored.</param>
    /// <param name="width">Elements of a stored positive.</param>
    /// <param name="referenceSize">Elements of an embedding.</param>
    /// <returns>Null for positives of the same utterance.</returns>
    public static PositiveSampling? Create(PositiveSamplingSpec spec, ObjectiveContext context, int queues, int width, int referenceSize)
    {
        spec.Validate();
        return spec.Source == PositiveSource.SameUtterance ? null : new PositiveSampling(spec, context, queues, width, referenceSize);
    }

    /// <summary>Whether an epoch collects references: from the one before the first clustering on.</summary>
    public bool Collects(long epoch) => epoch >= _spec.StartEpoch - 1;

    private bool Replaces(long epoch) => epoch >= _spec.StartEpoch;

    /// <summary>Clusters the references of all utterances, where the epoch is one that replaces positives.</summary>
    public void BeginEpoch(long epoch, CancellationToken cancellation)
    {
        if (!Replaces(epoch) || _spec.Source == PositiveSource.Nearest)
        {
            return;
        }

        var clustering = _references.Cluster(_spec.Clusters, _spec.Iterations, _context.Seed + (ulong)epoch, _context.Device, cancellation);
        _centroids = clustering.Centroids;
        ApplyClusters(clustering.ClusterOf, OldestRow(epoch * _context.BatchesPerEpoch));
    }

    /// <summary>Chooses the positives of a batch.</summary>
    public void Prepare(TrainingBatch batch, in StepPlace place)
    {
        _place = place;
        if (!Collects(place.Epoch))
        {
            return;
        }

        batch.Utterances.CopyTo(_utterances);
        if (!Replaces(place.Epoch))
        {
            return;
        }

        if (_spec.Source == PositiveSource.Nearest)
        {
            FindNearest();
        }

        for (int i = 0; i < _rows.Length; i++)
        {
            int anchor = _utterances[i];
            var random = new CounterRandom(_context.Seed, RandomPurpose.PositiveSampling, place.Epoch, anchor);
            _rows[i] = _spec.Source switch
            {
                PositiveSource.Nearest => DrawNearest(ref random, i, anchor),
                PositiveSource.Centroid => _index.ClusterOf[anchor],
                _ => _index.Draw(ref random, anchor),
            };
            _counters.Add(anchor, _rows[i] >= 0, _spec.Source == PositiveSource.Centroid || _rows[i] < 0 ? -1 : _index.UtteranceOf[_rows[i]]);
        }

        _selected = batch.Device.Workspace.Rent(new Shape(_rows.Length), ElementType.Int32);
        _selected.CopyIntsFrom(_rows);
    }

    /// <summary>Embeds the clean segments, in inference mode and without gradient.</summary>
    public void Reference(Encoder encoder, in StepFeatures features)
    {
        if (Mode > 0)
        {
            var segments = features.References ?? throw new InvalidOperationException("The batch has no clean segments.");
            _reference = GatherViews.Forward(null, encoder.Forward(null, segments, training: false), views: 1);
        }
    }

    /// <summary>The positives to compare with: stored ones where there are any, else the batch's own.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="positives">The batch's own, f32 [B, width]; gradients flow to those that stay.</param>
    /// <param name="queue">Which view.</param>
    public Tensor Replace(Tape? tape, Tensor positives, int queue) =>
        Mode < 2 ? positives : SelectRows.Forward(tape, _centroidBank ?? _queues[queue], _selected!, positives);

    /// <summary>Stores the real positives of the step and the references of its utterances.</summary>
    /// <param name="views">The positives, one tensor a queue, f32 [B, width].</param>
    public void Collect(params ReadOnlySpan<Tensor> views)
    {
        if (Mode == 0)
        {
            return;
        }

        int start = OldestRow(_place.Step);
        for (int i = 0; i < views.Length; i++)
        {
            Add.Copy(null, views[i], _queues[i].Slice(start, _context.Batch));
        }

        if (_queueReferences is not null)
        {
            Add.Copy(null, _reference!, _queueReferences.Slice(start, _context.Batch));
        }

        _reference!.CopyTo(_batchReferences);
        _references.Store(_utterances, _batchReferences);
        _index.Store(start, _utterances);
    }

    /// <summary>Everything that a later step depends on.</summary>
    public void VisitState(StateVisitor visitor, long step)
    {
        // Before the first collecting step there is nothing, and a run may still begin SSPS from there.
        if (step <= FirstStep)
        {
            return;
        }

        _references.VisitState(visitor);
        for (int i = 0; i < _queues.Length; i++)
        {
            visitor.Visit($"ssps.queue.{i}", _queues[i]);
        }

        if (_queueReferences is not null)
        {
            visitor.Visit("ssps.queue_references", _queueReferences);
        }

        visitor.Visit("ssps.queue_utterances", _index.UtteranceOf);
        _counters.VisitState(visitor);

        // Clusters are made anew where an epoch begins; in the middle of one they have to be there.
        bool inEpoch = step % _context.BatchesPerEpoch != 0 && Replaces(step / _context.BatchesPerEpoch) && _spec.Source != PositiveSource.Nearest;
        if (inEpoch)
        {
            if (!_hasClusters)
            {
                _centroids = new float[_spec.Clusters * _referenceSize];
            }

            int[] clusterOf = [.. _index.ClusterOf];
            visitor.Visit("ssps.clusters", clusterOf);
            visitor.Visit("ssps.centroids", _centroids);
            if (visitor is StateReader)
            {
                ApplyClusters(clusterOf, OldestRow(step));
            }
        }
        else if (visitor is StateReader)
        {
            _index.SetClusters(_index.ClusterOf.ToArray(), 0, [], OldestRow(step));
        }
    }

    /// <summary>Figures of the epoch: coverage, accuracies, agreement of clusters with speakers and sessions.</summary>
    public void CloseEpoch(ICollection<EpochFigure> figures)
    {
        if (Mode == 2)
        {
            _counters.Close(_hasClusters ? _index.ClusterOf : null, figures);
        }
    }

    private long FirstStep => (_spec.StartEpoch - 1L) * _context.BatchesPerEpoch;

    private int OldestRow(long step) => (int)((step - FirstStep) * _context.Batch % _queueRows);

    private void ApplyClusters(int[] clusterOf, int oldest)
    {
        int[] near = _spec.Source == PositiveSource.Clusters && _spec.Neighbours > 0 ? NearestClusters() : [];
        _index.SetClusters(clusterOf, _spec.Clusters, near, oldest);
        _centroidBank?.CopyFrom(_centroids);
        _hasClusters = true;
    }

    // [K, M]; a centroid is its own nearest but for ties, so one more is asked for.
    private int[] NearestClusters()
    {
        int k = _spec.Clusters, m = _spec.Neighbours, asked = Math.Min(k, m + 1);
        var device = _context.Device;
        device.Workspace.Reset();
        var centroids = device.Workspace.Rent(new Shape(k, _referenceSize));
        centroids.CopyFrom(_centroids);
        int[] found = new int[k * asked];
        CosineTopK.Forward(centroids, centroids, asked).Indices.CopyIntsTo(found);
        device.Workspace.Reset();
        int[] near = new int[k * m];
        for (int cluster = 0; cluster < k; cluster++)
        {
            int taken = 0;
            for (int i = 0; i < asked && taken < m; i++)
            {
                int other = found[(cluster * asked) + i];
                if (other != cluster)
                {
                    near[(cluster * m) + taken++] = other;
                }
            }
        }

        return near;
    }

    // The stored rows nearest to each anchor's last reference, nearest first.
    private void FindNearest()
    {
        var workspace = _context.Device.Workspace;
        int asked = _nearest.Length / _rows.Length;
        var anchors = workspace.Rent(new Shape(_rows.Length, _referenceSize));
        _references.Read(_utterances, _batchReferences);
        anchors.CopyFrom(_batchReferences);
        CosineTopK.Forward(anchors, _queueReferences!, asked).Indices.CopyIntsTo(_nearest);
    }

    private int DrawNearest(ref CounterRandom random, int place, int anchor)
    {
        if (!_references.Has(anchor))
        {
            return -1;
        }

        int asked = _nearest.Length / _rows.Length, kept = 0;
        var choices = _nearest.AsSpan(place * asked, asked);
        foreach (int row in choices)
        {
            if (kept < _spec.Neighbours && _index.IsNewest(row) && _index.UtteranceOf[row] != anchor)
            {
                choices[kept++] = row;
            }
        }

        return kept == 0 ? -1 : choices[PositiveIndex.Rank(ref random, kept, _spec.RankDecay)];
    }
}
