using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>The last map of Fast ResNet-34 for 2 s of audio.</summary>
public class SelfAttentivePoolBench : EncoderOpBench
{
    private Parameter _weight = null!, _bias = null!, _attention = null!;

    protected override Shape Input => new(64, 5, 51, 128);

    protected override void CreateParameters()
    {
        _weight = Weight("weight", 128, 128);
        _bias = Weight("bias", 128);
        _attention = Weight("attention", 128, 1);
    }

    protected override Tensor Run(Tape? tape) => SelfAttentivePool.Forward(tape, X, _weight, _bias, _attention);
}
