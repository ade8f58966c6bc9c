using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Features;
using Spk.Engine.Models;
using Spk.Engine.Tensors;
using Spk.Training.Optimization;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Whole encoders on features of two seconds: inference, and a step with an optimiser.</summary>
internal static class EncoderCases
{
    /// <summary>The x-vector of the tables.</summary>
    public static readonly EncoderSpec XVector = new() { Kind = "tdnn", Bins = 40, Width = 512, LastWidth = 512, EmbeddingSize = 512, Segment = false };

    /// <summary>The ECAPA-TDNN of the tables.</summary>
    public static readonly EncoderSpec Ecapa = new() { Kind = "ecapa", Variant = EncoderVariant.Wespeaker, Bins = 80, Width = 512, LastWidth = 1536, EmbeddingSize = 192 };

    // The encoder of the small recipes.
    private static readonly EncoderSpec Small = new() { Kind = "tdnn", Bins = 40, Width = 128, EmbeddingSize = 128 };

    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        new("xvector", "x-vector of width 512", d => Network(d, "xvector", XVector, d is CpuDevice ? 64 : 256, 200)),
        new("embed", "from samples to the embedding of one recording, as in an application", d => [Embed(d, "embed_xvector", XVector, FeatureSpec.TorchaudioMel40), Embed(d, "embed_ecapa_c512", Ecapa, FeatureSpec.KaldiFbank80Povey)]),
        new("ecapa_c512", "ECAPA-TDNN of 512 channels", d => Network(d, "ecapa_c512", Ecapa, d is CpuDevice ? 32 : 128, 200)),
    ];

    private static BenchmarkCase Embed(Device device, string name, EncoderSpec spec, FeatureSpec features)
    {
        const int seconds = 3;
        var parameters = new ParameterSet(device);
        var encoder = Encoder.Create(spec, parameters, ModelKeys.EncoderPrefix);
        parameters.Allocate(1, gradients: false);
        var model = new SpeakerModel(new FeatureExtractor(device, features), encoder, parameters);
        float[] wave = new float[seconds * model.SampleRate], embedding = new float[model.EmbeddingSize];
        Inputs.Random(device, new Shape(wave.Length), 1).CopyTo(wave);
        return new(name, [new("utterances", 1), new("seconds", seconds)], "utt/s", 1, () => model.Embed(wave, model.SampleRate, embedding));
    }

    /// <summary>A step of the small recipes' encoder on features of a second.</summary>
    public static BenchmarkCase SmallTrainStep(Device device, int batch) => Network(device, "tdnn", Small, batch, 100)[1];

    private static IReadOnlyList<BenchmarkCase> Network(Device device, string name, EncoderSpec spec, int batch, int frames)
    {
        var parameters = new ParameterSet(device);
        var encoder = Encoder.Create(spec, parameters);
        parameters.Allocate(1);
        var optimizer = Optimizer.Create(new OptimizerSpec(), parameters);
        var x = Inputs.Random(device, new Shape(batch, frames, spec.Bins), 1);
        var target = Inputs.Random(device, new Shape(batch, spec.EmbeddingSize), 2);
        var tape = new Tape();
        var forward = new ReplayedWork(device, () => encoder.Forward(null, x, training: false));
        var forwardBackward = new ReplayedWork(device, () =>
        {
            tape.Clear();
            parameters.ZeroGradients();

            // The loss is a dot product with fixed targets, whose gradient is the targets.
            tape.Backward(encoder.Forward(tape, x, training: true), target);
        });
        CaseSize[] sizes = [new("batch", batch), new("mel", spec.Bins), new("frames", frames)];
        return
        [
            new(name + "_forward", sizes, "utt/s", batch, () =>
            {
                device.Workspace.Reset();
                forward.Run(0);
            }),
            new(name + "_train_step", sizes, "utt/s", batch, () =>
            {
                device.Workspace.Reset();
                forwardBackward.Run(0);
                optimizer.Step(1e-4);
            }),
        ];
    }
}
