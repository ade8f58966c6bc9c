using BenchmarkDotNet.Attributes;
using Spk.Engine.Encoders;

namespace Spk.Bench.Pipeline;

/// <summary>The x-vector of the peers' script (64 utterances, last layer 512, no segment layer) and the published one.</summary>
public class XVectorBench : EncoderBench
{
    [Params("peers", "published")]
    public string Network { get; set; } = "";

    protected override int Batch => 64;

    protected override EncoderSpec Spec => Network == "peers" ? new() { LastWidth = 512, Segment = false } : new();
}
