using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>Half of a batch replaced by rows of a bank.</summary>
public class SelectRowsBench : EncoderOpBench
{
    private readonly int[] _order = [.. Enumerable.Range(0, 32).Select(i => i % 2 == 0 ? 31 - i : -1)];

    protected override Shape Input => new(32, 200, 80);

    protected override Tensor Run(Tape? tape)
    {
        var index = X.Device.Workspace.Rent(new Shape(_order.Length), ElementType.Int32);
        index.CopyIntsFrom(_order);
        return SelectRows.Forward(tape, X, index, X);
    }
}
