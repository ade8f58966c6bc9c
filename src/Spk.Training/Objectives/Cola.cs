using Spk.Engine.Autograd;
using Spk.Engine.Collectives;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.Objectives;

/// <summary>
/// COLA (Saeed, Grangier and Zeghidour, "Contrastive learning of general-purpose audio representations", arXiv:2010.10915): two crops of
/// one recording find each other in the batch by a learned bilinear similarity of g = tanh(layer norm(linear(embedding))). A comparator:
/// without changes of the channel it learns what a recording has in common besides its speaker.
/// </summary>
public sealed class Cola : Objective
{
    private readonly LinearLayer _linear;
    private readonly LayerNormLayer _norm;
    private readonly Parameter _similarity;
    private Tensor? _accuracy;

    /// <summary>Makes the objective and declares its head: <c>linear</c>, <c>norm</c> and <c>similarity</c> [outputs, outputs].</summary>
    /// <param name="spec">Its width.</param>
    /// <param name="context">What it is built for.</param>
    /// <exception cref="InvalidOptionException">Other than two views.</exception>
    public Cola(ObjectiveSpec spec, ObjectiveContext context)
        : base(context)
    {
        ArgumentNullException.ThrowIfNull(spec);
        ObjectiveRules.RequireTwoViews(spec, context);
        int outputs = spec.Cola.Outputs;
        _linear = new LinearLayer(Parameters, Prefix + "linear", Trained.EmbeddingSize, outputs);
        _norm = new LayerNormLayer(Parameters, Prefix + "norm", outputs);
        _similarity = Parameters.Add(Prefix + "similarity", new Shape(outputs, outputs), Initializer.UniformFanIn(outputs));
    }

    /// <inheritdoc/>
    public override ObjectiveStatistics Statistics
    {
        get
        {
            Span<float> rate = [float.NaN];
            _accuracy?.CopyTo(rate);
            return new ObjectiveStatistics(float.NaN, float.NaN, rate[0]);
        }
    }

    /// <inheritdoc/>
    public override long ReplayKey => 0;

    /// <inheritdoc/>
    public override void Prepare(TrainingBatch batch, in StepPlace place) { }

    /// <inheritdoc/>
    public override Tensor Loss(Tape? tape, in StepFeatures features)
    {
        Embeddings = Trained.Forward(tape, features.Views, training: true);
        return Compare(tape, GatherViews.Forward(tape, Embeddings, Context.Views));
    }

    /// <summary>The loss of embeddings, f32 [2·B, E], view-major.</summary>
    internal Tensor Compare(Tape? tape, Tensor embeddings)
    {
        var heads = Activation.Forward(tape, _norm.Forward(tape, _linear.Forward(tape, embeddings)), ActivationKind.Tanh);
        return BilinearContrast.Forward(tape, heads.Slice(0, Context.Batch), heads.Slice(Context.Batch, Context.Batch), _similarity, out _accuracy);
    }
}
