using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>Convolution (<c>conv</c>), activation, batch norm (<c>norm</c>): the frame layer of TDNN and ECAPA.</summary>
public sealed class FrameBlock
{
    private readonly ActivationKind _activation;

    /// <summary>Declares the parameters.</summary>
    /// <param name="parameters">Where to declare.</param>
    /// <param name="name">What the names begin with, without the last dot.</param>
    /// <param name="inputs">Input channels.</param>
    /// <param name="outputs">Output channels.</param>
    /// <param name="kernel">Taps.</param>
    /// <param name="dilation">Frames from tap to tap.</param>
    /// <param name="padding">What lies beyond the ends.</param>
    /// <param name="activation">ReLU or leaky ReLU.</param>
    /// <param name="affine">Whether the norm has scale and offset.</param>
    public FrameBlock(
        ParameterSet parameters,
        string name,
        int inputs,
        int outputs,
        int kernel = 1,
        int dilation = 1,
        Padding padding = Padding.Valid,
        ActivationKind activation = ActivationKind.Relu,
        bool affine = true)
    {
        Convolution = new Conv1dLayer(parameters, name + ".conv", inputs, outputs, kernel, dilation, padding);
        Norm = new BatchNormLayer(parameters, name + ".norm", outputs, affine);
        _activation = activation;
    }

    /// <summary>The convolution.</summary>
    public Conv1dLayer Convolution { get; }

    /// <summary>The norm.</summary>
    public BatchNormLayer Norm { get; }

    /// <summary>Runs the block.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="x">[N, T, Ci].</param>
    /// <param name="training">Whether the norm uses and records the statistics of this batch.</param>
    /// <param name="output">Where to write, [N, T', Co], which must not overlap x; null for a new tensor.</param>
    /// <param name="addTo">What the result is added to by the way, see <see cref="BatchNorm.Forward"/>; null for nothing.</param>
    /// <returns>[N, T', Co].</returns>
    public Tensor Forward(Tape? tape, Tensor x, bool training, Tensor? output = null, Tensor? addTo = null) =>
        Convolution.Forward(tape, x, Norm, training, _activation, output, addTo);

    /// <summary>Runs the block, with the means over time of its result, [N, Co], where they come by the way; else they are null.</summary>
    internal Tensor ForwardWithMeans(Tape? tape, Tensor x, bool training, out Tensor? timeMeans) =>
        Norm.FollowWithMeans(Convolution, tape, x, training, _activation, out timeMeans);
}
