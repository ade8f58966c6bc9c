using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>A convolution over time with its parameters <c>weight</c> ([Co, Ci, k] in files) and <c>bias</c> [Co].</summary>
public sealed class Conv1dLayer : INormedMap
{
    private readonly int _dilation;
    private readonly Padding _padding;

    /// <summary>Declares the parameters, uniform in ±1/√(Ci·k) as in PyTorch.</summary>
    /// <param name="parameters">Where to declare.</param>
    /// <param name="name">What the names begin with, without the last dot.</param>
    /// <param name="inputs">Input channels.</param>
    /// <param name="outputs">Output channels.</param>
    /// <param name="kernel">Taps.</param>
    /// <param name="dilation">Frames from tap to tap.</param>
    /// <param name="padding">What lies beyond the ends.</param>
    public Conv1dLayer(
        ParameterSet parameters, string name, int inputs, int outputs, int kernel = 1, int dilation = 1, Padding padding = Padding.Valid)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        var initializer = Initializer.UniformFanIn(inputs * kernel);
        Weight = parameters.Add(name + ".weight", new Shape(outputs, kernel, inputs), initializer, ParameterLayout.Conv1dKernel);
        Bias = parameters.Add(name + ".bias", new Shape(outputs), initializer);
        _dilation = dilation;
        _padding = padding;
    }

    /// <summary>[Co, k, Ci] in memory.</summary>
    public Parameter Weight { get; }

    /// <summary>[Co].</summary>
    public Parameter Bias { get; }

    /// <summary>Convolves.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">[N, T, Ci].</param>
    /// <returns>[N, T', Co].</returns>
    public Tensor Forward(Tape? tape, Tensor x) => ((INormedMap)this).Forward(tape, x, null, null);

    /// <summary>Convolves, then activation and batch norm: what the convolution can do for the norm is done where its results are at hand.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="x">[N, T, Ci].</param>
    /// <param name="norm">The norm that follows.</param>
    /// <param name="training">Whether it uses and records the statistics of this batch.</param>
    /// <param name="before">Activation ahead of the norm: none, ReLU or leaky ReLU (slope 0.01).</param>
    /// <param name="output">Where to write, which must not overlap x; null for a new tensor.</param>
    /// <param name="addTo">What the result is added to by the way, see <see cref="BatchNorm.Forward"/>; null for nothing.</param>
    /// <returns>[N, T', Co].</returns>
    public Tensor Forward(
        Tape? tape, Tensor x, BatchNormLayer norm, bool training, ActivationKind? before = null, Tensor? output = null, Tensor? addTo = null)
    {
        ArgumentNullException.ThrowIfNull(norm);
        return norm.Follow(this, tape, x, training, before, output, addTo);
    }

    Tensor INormedMap.Forward(Tape? tape, Tensor x, Tensor? output, BatchNormEpilogue? norm)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (Weight.Shape[1] > 1)
        {
            return Conv1d.Forward(tape, x, Weight.Value, Bias.Value, _dilation, _padding, output, norm);
        }

        var weight = x.Device.Workspace.Reshape(Weight.Value, new Shape(Weight.Shape[0], Weight.Shape[2]));
        return Linear.Forward(tape, x, weight, Bias.Value, output, norm);
    }
}
