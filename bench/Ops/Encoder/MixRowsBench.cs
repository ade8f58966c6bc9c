using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>A batch of pooled vectors mixed in another order.</summary>
public class MixRowsBench : EncoderOpBench
{
    private readonly int[] _partners = [.. Enumerable.Range(0, 256).Select(i => (i * 5) % 256)];
    private readonly float[] _weights = [.. Enumerable.Range(0, 256).Select(i => 0.5f + (i / 512f))];

    protected override Shape Input => new(256, 3072);

    protected override Tensor Run(Tape? tape)
    {
        var partners = X.Device.Workspace.Rent(new Shape(_partners.Length), ElementType.Int32);
        partners.CopyIntsFrom(_partners);
        var weights = X.Device.Workspace.Rent(new Shape(_weights.Length));
        weights.CopyFrom(_weights);
        return MixRows.Forward(tape, X, new RowMix(partners, weights));
    }
}
