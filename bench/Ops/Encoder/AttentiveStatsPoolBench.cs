using BenchmarkDotNet.Attributes;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>Attentive statistics pooling with global context, as in ECAPA.</summary>
public class AttentiveStatsPoolBench : EncoderOpBench
{
    private AttentiveStatsParameters _parameters = null!;

    [Params(1536)]
    public int Channels { get; set; }

    protected override Shape Input => new(32, 200, Channels);

    protected override void CreateParameters() => _parameters = new AttentiveStatsParameters(
        Weight("context", 128, 3 * Channels), Weight("context bias", 128), Weight("score", Channels, 128), Weight("score bias", Channels));

    protected override Tensor Run(Tape? tape) => AttentiveStatsPool.Forward(tape, X, _parameters, training: true);
}
