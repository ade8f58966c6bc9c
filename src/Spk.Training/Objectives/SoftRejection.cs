using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Training.Checkpoints;
using Spk.Training.Data;

namespace Spk.Training.Objectives;

/// <summary>
/// Weights of the dialogues of a batch from their compactness, without supervision (methods.md 10.4), and how well compactness tells mixed
/// dialogues where the true speakers are known.
/// </summary>
internal sealed class SoftRejection
{
    private readonly RejectionSpec _spec;
    private readonly ObjectiveContext _context;
    private readonly Tensor? _state, _slope;
    private readonly CompactnessFigures _figures;
    private Tensor? _compactness, _weights;
    private float _slopeNow = float.NaN;
    private bool _begun;

    /// <summary>Makes the running statistics.</summary>
    /// <param name="spec">How to weigh.</param>
    /// <param name="context">What the objective is built for.</param>
    public SoftRejection(RejectionSpec spec, ObjectiveContext context)
    {
        (_spec, _context) = (spec, context);
        _state = spec.Kind == RejectionKind.Standardized ? context.Device.AllocatePersistent(new Shape(2)) : null;
        _slope = HasSlope ? context.Device.AllocatePersistent(new Shape(1)) : null;
        _figures = new CompactnessFigures(context);
    }

    /// <summary>Changes where the weights are computed with other arguments: rules without slope begin after the warm-up.</summary>
    public long ReplayKey => _begun && _spec.Kind is RejectionKind.Rectified or RejectionKind.Top ? 1 : 0;

    private bool HasSlope => _spec.Kind is RejectionKind.Standardized or RejectionKind.Absolute or RejectionKind.Softmax;

    private DialogueWeightOptions Options => new()
    {
        Rule = _spec.Kind switch
        {
            RejectionKind.Rectified => DialogueWeightRule.Rectified,
            RejectionKind.Softmax => DialogueWeightRule.Softmax,
            RejectionKind.Top => DialogueWeightRule.Top,
            _ => DialogueWeightRule.Sigmoid,
        },
        Threshold = _spec.Threshold,
        Momentum = _spec.Momentum,
        Kept = _spec.Kept,
        Normalize = _spec.Normalize,
    };

    /// <summary>Mean compactness of the last batch.</summary>
    public float Compactness => _figures.LastMean;

    public void Prepare(TrainingBatch batch, in StepPlace place)
    {
        long warmup = (long)Math.Round((double)_spec.Warmup * _context.Steps);
        _begun = place.Step >= warmup;
        float slope = _begun ? _spec.Slope : (float)((double)_spec.Slope * place.Step / warmup);
        if (_slope is not null && slope != _slopeNow)
        {
            _slopeNow = slope;
            _slope.CopyFrom([slope]);
        }

        _figures.Prepare(batch);
    }

    /// <summary>Weights of the dialogues of a batch, f32 [N], or null where all count alike.</summary>
    /// <param name="embeddings">f32 [M·N, D].</param>
    public Tensor? Weigh(Tensor embeddings)
    {
        _compactness = DialogueCompactness.Forward(embeddings, _context.Views);
        _weights = _spec.Kind == RejectionKind.None || !(HasSlope || _begun) ? null : DialogueCompactness.Weigh(_compactness, _state, Options, _slope);
        return _weights;
    }

    /// <summary>Reads back what the last batch showed.</summary>
    public void Update() => _figures.Add(_compactness!, _weights);

    public void VisitState(StateVisitor visitor)
    {
        if (_state is not null)
        {
            visitor.Visit("rejection.statistics", _state);
        }
    }

    public void CloseEpoch(ICollection<EpochFigure> figures) => _figures.Close(figures, _spec.Kind != RejectionKind.None);
}
