using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>
/// The basic block of Fast ResNet-34: 3 × 3 convolution, ReLU, batch norm, 3 × 3 convolution, batch norm, squeeze and excitation, the
/// residual sum, ReLU. The rectifier stands ahead of the first norm.
/// </summary>
/// <remarks>
/// Names: <c>conv1</c>, <c>bn1</c>, <c>conv2</c>, <c>bn2</c>, <c>se.fc.0</c>, <c>se.fc.2</c>, and where the shape changes
/// <c>downsample.0</c> (1 × 1 convolution) and <c>downsample.1</c> (its batch norm).
/// </remarks>
public sealed class SqueezeExciteResidualBlock
{
    /// <summary>Channels of the block to hidden units of its squeeze and excitation.</summary>
    public const int Reduction = 8;

    private readonly Conv2dLayer _convolution1, _convolution2;
    private readonly BatchNormLayer _norm1, _norm2;
    private readonly LinearLayer _reduce, _expand;
    private readonly Conv2dLayer? _downsample;
    private readonly BatchNormLayer? _downsampleNorm;

    internal SqueezeExciteResidualBlock(ParameterSet parameters, string name, int inputs, int outputs, int stride)
    {
        _convolution1 = new Conv2dLayer(parameters, name + ".conv1", inputs, outputs, 3, stride, stride);
        _norm1 = new BatchNormLayer(parameters, name + ".bn1", outputs);
        _convolution2 = new Conv2dLayer(parameters, name + ".conv2", outputs, outputs, 3);
        _norm2 = new BatchNormLayer(parameters, name + ".bn2", outputs);
        _reduce = new LinearLayer(parameters, name + ".se.fc.0", outputs, outputs / Reduction);
        _expand = new LinearLayer(parameters, name + ".se.fc.2", outputs / Reduction, outputs);
        if (stride != 1 || inputs != outputs)
        {
            _downsample = new Conv2dLayer(parameters, name + ".downsample.0", inputs, outputs, 1, stride, stride);
            _downsampleNorm = new BatchNormLayer(parameters, name + ".downsample.1", outputs);
        }
    }

    /// <summary>Runs the block.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="x">[N, H, W, Ci].</param>
    /// <param name="training">Whether the norms use and record the statistics of this batch.</param>
    /// <returns>[N, ⌈H / stride⌉, ⌈W / stride⌉, Co].</returns>
    public Tensor Forward(Tape? tape, Tensor x, bool training)
    {
        var inner = _convolution1.Forward(tape, x, _norm1, training, ActivationKind.Relu);
        inner = _convolution2.Forward(tape, inner, _norm2, training);
        var residual = _downsample is not null && _downsampleNorm is not null
            ? _downsample.Forward(tape, x, _downsampleNorm, training)
            : x;
        inner = SqueezeExcite.Forward(tape, inner, _reduce.Weight, _reduce.Bias, _expand.Weight, _expand.Bias, residual);
        return Activation.Forward(tape, inner, ActivationKind.Relu, output: inner);
    }
}
