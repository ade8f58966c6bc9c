using BenchmarkDotNet.Attributes;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>A layer of APC: 32 utterances of 2 s, 512 channels to 512 units; and the same for a single utterance.</summary>
public class GruBench : EncoderOpBench
{
    private const int Units = 512;
    private GruParameters _layer = null!;

    [Params(1, 32)]
    public int Items { get; set; }

    protected override Shape Input => new(Items, 200, Units);

    protected override void CreateParameters() => _layer = new GruParameters(
        Weight("input weight", 3 * Units, Units), Weight("hidden weight", 3 * Units, Units), Weight("input bias", 3 * Units), Weight("hidden bias", 3 * Units));

    protected override Tensor Run(Tape? tape) => Gru.Forward(tape, X, _layer);
}
