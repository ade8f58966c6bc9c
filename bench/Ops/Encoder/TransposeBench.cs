using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>Features of 2 s of audio ahead of a ResNet.</summary>
public class TransposeBench : EncoderOpBench
{
    protected override Shape Input => new(256, 201, 40);

    protected override Tensor Run(Tape? tape) => Transpose.Forward(tape, X);
}
