using BenchmarkDotNet.Attributes;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>ReLU and batch norm in one op, over frames that fit no cache.</summary>
public class BatchNormBench : EncoderOpBench
{
    private Parameter _gamma = null!, _beta = null!, _mean = null!, _variance = null!;

    [Params(64, 512, 1536)]
    public int Channels { get; set; }

    protected override Shape Input => new(32, 200, Channels);

    protected override void CreateParameters()
    {
        (_gamma, _beta) = (Weight("gamma", Channels), Weight("beta", Channels));
        _mean = Parameters.AddBuffer("mean", new Shape(Channels), 0f);
        _variance = Parameters.AddBuffer("variance", new Shape(Channels), 1f);
    }

    protected override Tensor Run(Tape? tape) =>
        BatchNorm.Forward(tape, X, _gamma, _beta, _mean, _variance, training: true, before: ActivationKind.Relu);
}
