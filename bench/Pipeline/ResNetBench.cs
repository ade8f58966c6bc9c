using BenchmarkDotNet.Attributes;
using Spk.Engine.Encoders;

namespace Spk.Bench.Pipeline;

/// <summary>Fast ResNet-34: 0.94 GFLOP an utterance of 2 s and pass, three passes in a training step.</summary>
public class ResNetBench : EncoderBench
{
    [Params(EncoderPooling.Sap, EncoderPooling.Stats)]
    public EncoderPooling Pooling { get; set; }

    protected override EncoderSpec Spec => new() { Kind = "resnet", Pooling = Pooling };

    protected override int Batch => 32;
}
