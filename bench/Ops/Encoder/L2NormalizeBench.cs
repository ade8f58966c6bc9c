using BenchmarkDotNet.Attributes;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>A batch of embeddings to unit length.</summary>
public class L2NormalizeBench : EncoderOpBench
{
    [Params(256, 4096)]
    public int Rows { get; set; }

    protected override Shape Input => new(Rows, 512);

    protected override Tensor Run(Tape? tape) => L2Normalize.Forward(tape, X);
}
