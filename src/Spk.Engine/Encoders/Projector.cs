using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Encoders;

/// <summary>
/// A perceptron between embeddings and a loss (Chen et al., "A simple framework for contrastive learning of visual representations",
/// arXiv:2002.05709): linear maps with batch norm and an activation between them. Embeddings are scored ahead of it; it serves training only.
/// </summary>
/// <remarks>
/// Names as in a PyTorch sequence of linear map, norm and rectifier: layer i has <c>{3i}.weight</c>, <c>{3i}.bias</c> and, but for the last,
/// the norm <c>{3i + 1}</c>.
/// </remarks>
public sealed class Projector
{
    private readonly LinearLayer[] _layers;
    private readonly BatchNormLayer[] _norms;

    /// <summary>Declares the parameters; the caller then calls <see cref="ParameterSet.Allocate"/>.</summary>
    /// <param name="spec">Its shape.</param>
    /// <param name="parameters">Where to declare.</param>
    /// <param name="prefix">What all names begin with.</param>
    /// <exception cref="InvalidOptionException">The spec is out of range.</exception>
    public Projector(ProjectorSpec spec, ParameterSet parameters, string prefix = "projector.")
    {
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(parameters);
        spec.Validate();
        Spec = spec;
        _layers = new LinearLayer[spec.Layers];
        _norms = new BatchNormLayer[spec.Layers - 1];
        int inputs = spec.Inputs;
        for (int i = 0; i < _layers.Length; i++)
        {
            int outputs = i < _norms.Length ? spec.Hidden : spec.Outputs;
            _layers[i] = new LinearLayer(parameters, $"{prefix}{3 * i}", inputs, outputs, spec.InitialDeviation);
            if (i < _norms.Length)
            {
                _norms[i] = new BatchNormLayer(parameters, $"{prefix}{(3 * i) + 1}", outputs);
            }

            inputs = outputs;
        }
    }

    /// <summary>What this projector was made from.</summary>
    public ProjectorSpec Spec { get; }

    /// <summary>Projects embeddings.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="embeddings">f32 [N, inputs].</param>
    /// <param name="training">Whether the norms use, and record, the statistics of this batch.</param>
    /// <returns>f32 [N, outputs], not normalised; valid until the workspace is reset.</returns>
    /// <exception cref="ShapeException">The embeddings are of another size.</exception>
    public Tensor Forward(Tape? tape, Tensor embeddings, bool training)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        if (embeddings.Shape.Rank != 2 || embeddings.Shape[1] != Spec.Inputs)
        {
            throw new ShapeException($"The projector was made for embeddings [N, {Spec.Inputs}], not {embeddings.Shape}.");
        }

        var x = embeddings;
        for (int i = 0; i < _norms.Length; i++)
        {
            x = _layers[i].Forward(tape, x, _norms[i], training);

            // GELU's backward step reads its input; the others can take its place.
            x = Activation.Forward(tape, x, Spec.Activation, output: Spec.Activation == ActivationKind.Gelu ? null : x);
        }

        return _layers[^1].Forward(tape, x);
    }
}
