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
    private readonly Tensor? _state;
    private readonly CompactnessFigures _figures;
    private Tensor? _compactness, _weights;
    private float _slope;
    private bool _begun;

    /// <summary>Makes the running statistics.</summary>
    /// <param name="spec">How to weigh.</param>
    /// <param name="context">What the objective is built for.</param>
    public SoftRejection(RejectionSpec spec, ObjectiveContext context)
    {
        (_spec, _context) = (spec, context);
        _state = spec.Kind == RejectionKind.Standardized ? context.Device.AllocatePersistent(new Shape(2)) : null;
        _figures = new CompactnessFigures(context);
    }

    /// <summary>Changes where the weights are computed with other arguments.</summary>
    public long ReplayKey => BitConverter.SingleToUInt32Bits(_slope) | (_begun ? 1L << 32 : 0);

    /// <summary>Mean compactness of the last batch.</summary>
    public float Compactness => _figures.LastMean;

    public void Prepare(TrainingBatch batch, in StepPlace place)
    {
        long warmup = (long)Math.Round((double)_spec.Warmup * _context.Steps);
        _begun = place.Step >= warmup;
        _slope = _begun ? _spec.Slope : (float)((double)_spec.Slope * place.Step / warmup);
        _figures.Prepare(batch);
    }

    /// <summary>Weights of the dialogues of a batch, f32 [N], or null where all count alike.</summary>
    /// <param name="embeddings">f32 [M·N, D].</param>
    public Tensor? Weigh(Tensor embeddings)
    {
        _compactness = DialogueCompactness.Forward(embeddings, _context.Views);
        bool hasSlope = _spec.Kind is RejectionKind.Standardized or RejectionKind.Absolute or RejectionKind.Softmax;
        _weights = _spec.Kind == RejectionKind.None || !(hasSlope || _begun) ? null : DialogueCompactness.Weigh(_compactness, _state, new DialogueWeightOptions
        {
            Rule = _spec.Kind switch
            {
                RejectionKind.Rectified => DialogueWeightRule.Rectified,
                RejectionKind.Softmax => DialogueWeightRule.Softmax,
                RejectionKind.Top => DialogueWeightRule.Top,
                _ => DialogueWeightRule.Sigmoid,
            },
            Slope = _slope,
            Threshold = _spec.Threshold,
            Momentum = _spec.Momentum,
            Kept = _spec.Kept,
            Normalize = _spec.Normalize,
        });
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
