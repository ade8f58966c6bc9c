using BenchmarkDotNet.Attributes;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>Every non-linearity over frames that fit no cache.</summary>
public class ActivationBench : EncoderOpBench
{
    [ParamsAllValues]
    public ActivationKind Kind { get; set; }

    protected override Shape Input => new(32, 200, 512);

    protected override Tensor Run(Tape? tape) => Activation.Forward(tape, X, Kind);
}
