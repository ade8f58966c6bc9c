using System.Globalization;
using BenchmarkDotNet.Attributes;
using Spk.Engine.Alignment;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Scoring;
using Spk.Training.Alignment;

namespace Spk.Bench.Pipeline;

/// <summary>Aligners of two models from 200 speakers with ten utterances each, embedded in 128 dimensions: the closed form, and five epochs of training.</summary>
[MemoryDiagnoser]
public class AlignmentBench
{
    private const int Speakers = 200, Utterances = 10, Dimension = 128;

    private CpuDevice _device = null!;
    private AlignmentData _data = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = new CpuDevice(1);
        string[] ids = [.. Enumerable.Range(0, Speakers * Utterances).Select(i => string.Create(CultureInfo.InvariantCulture, $"speaker {i / Utterances} {i % Utterances}"))];
        _data = AlignmentData.Join(Table(ids, 1), Table(ids, 2), id => id[..id.LastIndexOf(' ')]);
    }

    [Benchmark(Baseline = true)]
    public AlignmentOutcome Procrustes() => Run(new AlignmentSpec { Variant = AlignmentVariant.Procrustes });

    [Benchmark]
    public AlignmentOutcome Shared() => Run(new AlignmentSpec { Epochs = 5, HeldBack = 0 });

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();

    private static EmbeddingTable Table(string[] ids, ulong seed)
    {
        var random = new CounterRandom(seed, RandomPurpose.Initialization);
        float[] centres = new float[Speakers * Dimension], values = new float[ids.Length * Dimension];
        foreach (ref float centre in centres.AsSpan())
        {
            centre = random.NextNormal();
        }

        for (int i = 0; i < values.Length; i++)
        {
            values[i] = centres[(i / Dimension / Utterances * Dimension) + (i % Dimension)] + random.NextNormal();
        }

        return new EmbeddingTable(ids, values, Dimension);
    }

    private AlignmentOutcome Run(AlignmentSpec spec) => AlignmentTrainer.Run(_data, "old", "new", spec, _device);
}
