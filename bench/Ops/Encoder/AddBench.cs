using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>A sum of two channel views, as between the groups of a Res2 layer.</summary>
public class AddBench : EncoderOpBench
{
    protected override Shape Input => new(32, 200, 512);

    protected override Tensor Run(Tape? tape) => Add.Forward(tape, X.Channels(64, 64), X.Channels(128, 64));
}
