using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Tensors;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Samples to augmented crops: a batch of two-second crops.</summary>
internal static class AudioCases
{
    private const int Samples = 32000;

    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        new("crop_gather", "16-bit samples to f32 crops", CropGathering) { HasProducts = false },
        new("mix_noise", "noise at a signal-to-noise ratio", NoiseMixing) { HasProducts = false },
        new("convolve_rir", "reverberation with rooms of half a second", Reverberation) { HasProducts = false },
    ];

    private static int Rows(Device device) => device is CpuDevice ? 32 : 512;

    private static CaseSize[] Sizes(int rows) => [new("utterances", rows), new("seconds", 2)];

    private static IReadOnlyList<BenchmarkCase> CropGathering(Device device)
    {
        int rows = Rows(device);
        var source = new Inputs.SilentSource(rows, Samples + 1000);
        CropRequest[] crops = [.. Enumerable.Range(0, rows).Select(i => new CropRequest(i, i))];
        return
        [
            new("crop_gather", Sizes(rows), "audio s/s", 2 * rows, () =>
            {
                device.Workspace.Reset();
                CropGather.Forward(device, source, crops, Samples);
            })
            {
                Bytes = 6.0 * rows * Samples,
            },
        ];
    }

    private static IReadOnlyList<BenchmarkCase> NoiseMixing(Device device)
    {
        int rows = Rows(device);
        var waves = Inputs.Random(device, new Shape(rows, Samples), 1);
        var noise = Inputs.Random(device, new Shape(rows, Samples), 2);

        // Ratios that take turns, so that repeated mixing does not grow without end.
        float[] ratios = [.. Enumerable.Repeat(30f, rows)];
        return
        [
            new("mix_noise", Sizes(rows), "audio s/s", 2 * rows, () =>
            {
                device.Workspace.Reset();
                MixNoise.Apply(waves, noise, ratios);
            })
            {
                Bytes = 12.0 * rows * Samples,
            },
        ];
    }

    private static IReadOnlyList<BenchmarkCase> Reverberation(Device device)
    {
        int rows = Rows(device);
        var waves = Inputs.Random(device, new Shape(rows, Samples), 1);

        // Rooms that keep the level: the crops are reverberated in place, again and again.
        float[][] responses = [.. Enumerable.Range(0, 8).Select(i => Enumerable.Range(0, 8000).Select(t => MathF.Exp(-t / 800f) * ((t % (7 + i)) - 3)).ToArray())];
        var bank = new RirBank(device, responses, Samples);
        int[] rooms = [.. Enumerable.Range(0, rows).Select(i => i % responses.Length)];
        return
        [
            new("convolve_rir", Sizes(rows), "audio s/s", 2 * rows, () =>
            {
                device.Workspace.Reset();
                ConvolveRir.Apply(waves, bank, rooms);
            })
            {
                Bytes = 8.0 * rows * Samples,
            },
        ];
    }
}
