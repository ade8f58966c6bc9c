using BenchmarkDotNet.Attributes;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>Every row by its own mean and variance: a batch of embeddings, and frames that fit no cache.</summary>
public class LayerNormBench : EncoderOpBench
{
    private Parameter _gamma = null!, _beta = null!;

    [Params(512, 6400)]
    public int Rows { get; set; }

    protected override Shape Input => new(Rows, 512);

    protected override void CreateParameters() => (_gamma, _beta) = (Weight("gamma", 512), Weight("beta", 512));

    protected override Tensor Run(Tape? tape) => LayerNorm.Forward(tape, X, _gamma, _beta);
}
