using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Engine.Encoders;

/// <summary>
/// The block of ECAPA-TDNN: a frame layer, a Res2 layer (Gao et al., arXiv:1904.01169), a frame layer, squeeze and
/// excitation, and the residual sum.
/// </summary>
/// <remarks>Names: <c>enter</c>, <c>res2.{0-6}</c>, <c>leave</c>, <c>excite.reduce</c>, <c>excite.expand</c>.</remarks>
public sealed class SqueezeExciteRes2Block
{
    private readonly FrameBlock _enter, _leave;
    private readonly Res2Layer _res2;
    private readonly LinearLayer _reduce, _expand;

    internal SqueezeExciteRes2Block(ParameterSet parameters, string name, EncoderSpec spec, int dilation, Padding padding)
    {
        _enter = new FrameBlock(parameters, name + ".enter", spec.Width, spec.Width);
        _res2 = new Res2Layer(parameters, name + ".res2", spec.Width, spec.Scale, 3, dilation, padding, spec.Variant);
        _leave = new FrameBlock(parameters, name + ".leave", spec.Width, spec.Width);
        _reduce = new LinearLayer(parameters, name + ".excite.reduce", spec.Width, spec.Bottleneck);
        _expand = new LinearLayer(parameters, name + ".excite.expand", spec.Bottleneck, spec.Width);
    }

    /// <summary>Runs the block.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="x">[N, T, C].</param>
    /// <param name="training">Whether the norms use and record the statistics of this batch.</param>
    /// <param name="output">Where to write, [N, T, C]; null for a new tensor.</param>
    /// <returns>[N, T, C].</returns>
    public Tensor Forward(Tape? tape, Tensor x, bool training, Tensor? output = null)
    {
        var inner = _enter.Forward(tape, x, training);
        inner = _res2.Forward(tape, inner, training);
        inner = _leave.ForwardWithMeans(tape, inner, training, out var means);
        return SqueezeExcite.Forward(tape, inner, means, _reduce.Weight, _reduce.Bias, _expand.Weight, _expand.Bias, residual: x, output);
    }
}
