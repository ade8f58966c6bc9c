using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>
/// A convolution over frequency and time without bias, square, padded to keep the size at stride 1. Parameter: <c>weight</c>, [Co, Ci, k, k]
/// in files.
/// </summary>
public sealed class Conv2dLayer : INormedMap
{
    private readonly int _strideHeight, _strideWidth;

    /// <summary>Declares the parameter, Kaiming normal over the fan-out.</summary>
    /// <param name="parameters">Where to declare.</param>
    /// <param name="name">What the names begin with, without the last dot.</param>
    /// <param name="inputs">Input channels.</param>
    /// <param name="outputs">Output channels.</param>
    /// <param name="kernel">Taps along either axis, odd.</param>
    /// <param name="strideHeight">Step along frequency.</param>
    /// <param name="strideWidth">Step along time.</param>
    public Conv2dLayer(ParameterSet parameters, string name, int inputs, int outputs, int kernel, int strideHeight = 1, int strideWidth = 1)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        Weight = parameters.Add(
            name + ".weight", new Shape(outputs, kernel, kernel, inputs), Initializer.KaimingNormalFanOut(outputs * kernel * kernel), ParameterLayout.Conv2dKernel);
        _strideHeight = strideHeight;
        _strideWidth = strideWidth;
    }

    /// <summary>[Co, k, k, Ci] in memory.</summary>
    public Parameter Weight { get; }

    /// <summary>Convolves.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">[N, H, W, Ci].</param>
    /// <returns>[N, ⌈H / stride⌉, ⌈W / stride⌉, Co].</returns>
    public Tensor Forward(Tape? tape, Tensor x) => ((INormedMap)this).Forward(tape, x, null, null);

    /// <summary>Convolves, then activation and batch norm: what the convolution can do for the norm is done where its results are at hand.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="x">[N, H, W, Ci].</param>
    /// <param name="norm">The norm that follows.</param>
    /// <param name="training">Whether it uses and records the statistics of this batch.</param>
    /// <param name="before">Activation ahead of the norm: none, ReLU or leaky ReLU (slope 0.01).</param>
    /// <returns>[N, ⌈H / stride⌉, ⌈W / stride⌉, Co].</returns>
    public Tensor Forward(Tape? tape, Tensor x, BatchNormLayer norm, bool training, ActivationKind? before = null)
    {
        ArgumentNullException.ThrowIfNull(norm);
        return norm.Follow(this, tape, x, training, before);
    }

    Tensor INormedMap.Forward(Tape? tape, Tensor x, Tensor? output, BatchNormEpilogue? norm)
    {
        int padding = Weight.Shape[1] / 2;
        return Conv2d.Forward(tape, x, Weight.Value, null, _strideHeight, _strideWidth, padding, padding, output, norm);
    }
}
