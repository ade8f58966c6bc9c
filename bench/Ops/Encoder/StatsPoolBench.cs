using BenchmarkDotNet.Attributes;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>Mean and deviation over time, at the published x-vector's last width.</summary>
public class StatsPoolBench : EncoderOpBench
{
    [ParamsAllValues]
    public PoolVariance Variance { get; set; }

    protected override Shape Input => new(64, 187, 1500);

    protected override Tensor Run(Tape? tape) => StatsPool.Forward(tape, X, 1e-7f, Variance);
}
