using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Tensors;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Log mel features of crops and of a long recording.</summary>
internal static class FeatureCases
{
    private const int SampleRate = 16000;

    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        new("fbank_kaldi", "80 log mel energies, Kaldi's way", Kaldi) { HasProducts = false },
        new("melspec_log", "40 log mel energies, torchaudio's way", Torchaudio) { HasProducts = false },
    ];

    private static int Batch(Device device) => device is CpuDevice ? 64 : 256;

    private static IReadOnlyList<BenchmarkCase> Kaldi(Device device)
    {
        var extractor = new FeatureExtractor(device, FeatureSpec.KaldiFbank80Povey with { Dither = 0 });
        return [Case("fbank_kaldi_batch", extractor, Batch(device), 2), Case("fbank_kaldi_long", extractor, 1, 60)];
    }

    private static IReadOnlyList<BenchmarkCase> Torchaudio(Device device) =>
    [
        Case("melspec_log_batch", new FeatureExtractor(device, FeatureSpec.TorchaudioMel40 with { Normalization = FeatureNormalization.None }), Batch(device), 2),
    ];

    private static BenchmarkCase Case(string name, FeatureExtractor extractor, int utterances, int seconds)
    {
        var device = extractor.Device;
        int samples = seconds * SampleRate, bins = extractor.Spec.Bins;
        var waves = Inputs.Random(device, new Shape(utterances, samples), 1);
        return new(name, [new("mel", bins), new("utterances", utterances), new("seconds", seconds)], "audio s/s", (double)utterances * seconds, () =>
        {
            device.Workspace.Reset();
            extractor.Compute(waves);
        })
        {
            Bytes = 4.0 * utterances * (samples + ((double)extractor.Spec.FrameCount(samples) * bins)),
        };
    }
}
