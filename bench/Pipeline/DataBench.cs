using BenchmarkDotNet.Attributes;
using Spk.Engine.Devices;
using Spk.Training.Data;

namespace Spk.Bench.Pipeline;

/// <summary>One batch of augmented crops (64 utterances, two crops of 1 s apart, reverberation and noise with probability 1/2).</summary>
public class DataBench
{
    private CpuDevice _device = null!;
    private Corpus _corpus = null!;
    private Augmenter _augmenter = null!;
    private BatchSource _plain = null!;
    private BatchSource _augmented = null!;
    private int _index;

    [Params(1, 2)]
    public int Threads { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        string folder = Path.Combine(Path.GetTempPath(), "spk-data-bench");
        SyntheticVoices.Generate(folder, new SyntheticVoicesSpec { Speakers = 32, EvaluationSpeakers = 2 });
        _device = new CpuDevice(Threads);
        _corpus = Corpus.Load(Manifest.Load(Path.Combine(folder, "train.csv")));
        var options = new BatchOptions { Batch = 64, Samples = 16000, Pairing = CropPairing.Apart, Seed = 1 };
        var spec = new AugmentationSpec { ReverbProbability = 0.5f, NoiseProbability = 0.5f, Noise = "noise", Rir = "rir" };
        _augmenter = new Augmenter(_device, spec, _corpus, options.Samples, options.Seed, folder);
        _plain = new BatchSource(_device, _corpus, options);
        _augmented = new BatchSource(_device, _corpus, options, _augmenter);
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _augmenter.Dispose();
        _corpus.Dispose();
        _device.Dispose();
    }

    [Benchmark(Baseline = true)]
    public int Crops() => Read(_plain);

    [Benchmark]
    public int Augmented() => Read(_augmented);

    private int Read(BatchSource source)
    {
        _device.Workspace.Reset();
        _index = (_index + 1) % source.BatchesPerEpoch;
        return source.Read(0, _index).Size;
    }
}
