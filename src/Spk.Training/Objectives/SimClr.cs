using Spk.Engine.Autograd;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Objectives;

/// <summary>
/// SimCLR with the NT-Xent loss (Chen et al., ICML 2020), optionally with a margin on the positive (NT-Xent-AM and -AAM,
/// methods.md 5.1): two crops of one utterance attract, all other crops of the batch repel. The embedding itself is compared; there is no projector.
/// </summary>
public sealed class SimClr : Objective
{
    private readonly ObjectiveSpec _spec;
    private Tensor? _collisionLabels;

    /// <summary>Makes the objective.</summary>
    /// <param name="spec">Temperature, direction, margin and mask.</param>
    /// <param name="context">What it is built for.</param>
    /// <exception cref="InvalidOptionException">Other than two views, or a mask without speaker labels.</exception>
    public SimClr(ObjectiveSpec spec, ObjectiveContext context)
    {
        ArgumentNullException.ThrowIfNull(spec);
        if (context.Views != 2)
        {
            throw new InvalidOptionException($"data.views = {context.Views}: objective.kind simClr needs 2.");
        }

        if (spec.OracleMask && context.Speakers == 0)
        {
            throw new InvalidOptionException("objective.oracleMask = true: the training manifest names no speakers; add a speaker column or set it to false.");
        }

        _spec = spec;
    }

    /// <inheritdoc/>
    public override void Prepare(TrainingBatch batch)
    {
        ArgumentNullException.ThrowIfNull(batch);
        if (_spec.OracleMask)
        {
            _collisionLabels = batch.Waves.Device.Workspace.Rent(new Shape(batch.Size), ElementType.Int32);
            _collisionLabels.CopyIntsFrom(batch.Speakers);
        }
    }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, Tensor embeddings, float margin)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        int utterances = embeddings.Shape[0] / 2;
        var first = embeddings.Slice(0, utterances);
        var second = embeddings.Slice(utterances, utterances);
        var options = new SimilaritySoftmaxOptions
        {
            Temperature = _spec.Temperature,
            Symmetric = _spec.Symmetric,
            Margin = _spec.MarginKind,
            MarginValue = margin,
            QueryLabels = _collisionLabels,
        };
        var loss = SimilaritySoftmax.Forward(tape, first, second, options, out var statistics);
        LastStatistics = statistics;
        return loss;
    }
}
