using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Training;
using Spk.Training.Data;
using Spk.Training.Recipes;

namespace Spk.Bench.Pipeline;

/// <summary>
/// A whole training step of the shipped recipe (batch of 64 utterances, two crops of a second each, rooms and noise, features, x-vector of
/// width 128, loss, backward, Adam, log line) and its part that makes the batch. Utterances per second are 64 by the mean time.
/// </summary>
[MemoryDiagnoser]
public class TrainStepBench
{
    private readonly string _folder = Directory.CreateTempSubdirectory("spk-bench-").FullName;
    private CpuDevice _device = null!;
    private Trainer _trainer = null!;
    private TrainingSession _session = null!;
    private long _step;

    [GlobalSetup]
    public void Setup()
    {
        string voices = Path.Combine(_folder, "voices"), run = Path.Combine(_folder, "run");
        SyntheticVoices.Generate(voices, new SyntheticVoicesSpec { Speakers = 32, EvaluationSpeakers = 2, UtterancesPerSpeaker = 8 });
        var recipe = Recipe.Parse(
            """
            data:
              cropSeconds: 1.0
              augmentation: { rir: rir, noise: noise, reverbProbability: 0.5, noiseProbability: 0.5 }
            features: { preset: torchaudio-mel40, normalization: mean }
            encoder: { kind: tdnn, width: 128, embeddingSize: 128 }
            training: { batch: 64, epochs: 100000 }
            """,
            "bench",
            [$"data.root={voices}"]);
        _device = BenchDevice.Open();
        _trainer = Trainer.Open(recipe, run, _device);
        _session = new TrainingSession(_trainer.Pipeline, new RunFolder(run), 0, null, _device.Name);
    }

    [Benchmark]
    public void Step() => _session.Step(_step++);

    [Benchmark]
    public void Batch()
    {
        _device.Workspace.Reset();
        _trainer.Pipeline.Batches.Read(_step / 4, (int)(_step % 4));
        _step++;
    }

    [GlobalCleanup]
    public void Cleanup()
    {
        _session.Dispose();
        _trainer.Dispose();
        _device.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
