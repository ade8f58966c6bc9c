using BenchmarkDotNet.Attributes;
using Spk.Engine.Encoders;

namespace Spk.Bench.Pipeline;

/// <summary>ECAPA-TDNN of width 512 over 32 utterances of 200 frames, in both variants.</summary>
public class EcapaBench : EncoderBench
{
    [Params(EncoderVariant.Sslsv, EncoderVariant.Wespeaker)]
    public EncoderVariant Variant { get; set; }

    protected override int Batch => 32;

    protected override EncoderSpec Spec => new() { Kind = "ecapa", Variant = Variant, Bins = 80, Width = 512, LastWidth = 1536, EmbeddingSize = 192 };
}
