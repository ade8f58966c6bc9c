using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>A linear map with its parameters <c>weight</c> [out, in] and <c>bias</c> [out].</summary>
public sealed class LinearLayer : INormedMap
{
    /// <summary>Declares the parameters, uniform in ±1/√inputs as in PyTorch.</summary>
    /// <param name="parameters">Where to declare.</param>
    /// <param name="name">What the names begin with, without the last dot.</param>
    /// <param name="inputs">Width of the input.</param>
    /// <param name="outputs">Width of the output.</param>
    /// <param name="deviation">Instead: weights normal with this deviation, biases zero.</param>
    public LinearLayer(ParameterSet parameters, string name, int inputs, int outputs, float? deviation = null)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var uniform = Initializer.UniformFanIn(inputs);
        Weight = parameters.Add(name + ".weight", new Shape(outputs, inputs), deviation is { } normal ? Initializer.Normal(normal) : uniform);
        Bias = parameters.Add(name + ".bias", new Shape(outputs), deviation is null ? uniform : Initializer.Constant(0));
    }

    /// <summary>[out, in].</summary>
    public Parameter Weight { get; }

    /// <summary>[out].</summary>
    public Parameter Bias { get; }

    /// <summary>x·Wᵀ + b.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">[..., in].</param>
    /// <returns>[..., out].</returns>
    public Tensor Forward(Tape? tape, Tensor x) => ((INormedMap)this).Forward(tape, x, null, null);

    /// <summary>x·Wᵀ + b, then activation and batch norm: what the map can do for the norm is done where its results are at hand.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="x">[..., in].</param>
    /// <param name="norm">The norm that follows.</param>
    /// <param name="training">Whether it uses and records the statistics of this batch.</param>
    /// <param name="before">Activation ahead of the norm: none, ReLU or leaky ReLU (slope 0.01).</param>
    /// <returns>[..., out].</returns>
    public Tensor Forward(Tape? tape, Tensor x, BatchNormLayer norm, bool training, ActivationKind? before = null)
    {
        ArgumentNullException.ThrowIfNull(norm);
        return norm.Follow(this, tape, x, training, before);
    }

    Tensor INormedMap.Forward(Tape? tape, Tensor x, Tensor? output, BatchNormEpilogue? norm) =>
        Linear.Forward(tape, x, Weight.Value, Bias.Value, output, norm);
}
