using Spk.Engine.Autograd;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Objectives;

/// <summary>
/// Autoregressive predictive coding (Chung, Hsu, Tang and Glass, arXiv:1904.03240): recurrent layers and a linear map predict features some
/// frames ahead. A comparator: the embedding, which the loss does not reach, stays as it began until it is fine-tuned.
/// </summary>
public sealed class Apc : Objective
{
    private readonly GruEncoder _encoder;
    private readonly LinearLayer _predictor;
    private readonly int _ahead;

    /// <summary>Makes the objective and declares its map from states to features, <c>predictor</c>.</summary>
    /// <param name="spec">How far ahead.</param>
    /// <param name="context">What it is built for.</param>
    /// <exception cref="InvalidOptionException">The encoder has no states frame by frame that know nothing of later frames.</exception>
    public Apc(ObjectiveSpec spec, ObjectiveContext context)
        : base(context)
    {
        ArgumentNullException.ThrowIfNull(spec);
        _encoder = Trained as GruEncoder ?? throw new InvalidOptionException(
            $"encoder.kind = {context.Encoder.Kind}: objective.kind apc predicts from the frames so far and needs gru.");
        _predictor = new LinearLayer(Parameters, Prefix + "predictor", context.Encoder.Width, context.Encoder.Bins);
        _ahead = spec.Apc.Ahead;
    }

    /// <inheritdoc/>
    public override ObjectiveStatistics Statistics => new(float.NaN, float.NaN, float.NaN);

    /// <inheritdoc/>
    public override long ReplayKey => 0;

    /// <inheritdoc/>
    public override void Prepare(TrainingBatch batch, in StepPlace place) { }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, in StepFeatures features)
    {
        var states = _encoder.States(tape, features.Views);
        Embeddings = _encoder.EmbedStates(null, states);
        var loss = L1.Ahead(tape, _predictor.Forward(tape, states), features.Views, _ahead);

        // A mean over frames, of which every process has as many: nothing needs to be gathered.
        Context.Device.Collective.Average(loss);
        return loss;
    }
}
