using BenchmarkDotNet.Attributes;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>Squeeze and excitation with the residual sum, as in ECAPA.</summary>
public class SqueezeExciteBench : EncoderOpBench
{
    private Parameter _reduce = null!, _reduceBias = null!, _expand = null!, _expandBias = null!;

    [Params(512, 1024)]
    public int Channels { get; set; }

    protected override Shape Input => new(32, 200, Channels);

    protected override void CreateParameters()
    {
        (_reduce, _reduceBias) = (Weight("reduce", 128, Channels), Weight("reduce bias", 128));
        (_expand, _expandBias) = (Weight("expand", Channels, 128), Weight("expand bias", Channels));
    }

    protected override Tensor Run(Tape? tape) => SqueezeExcite.Forward(tape, X, _reduce, _reduceBias, _expand, _expandBias, residual: X);
}
