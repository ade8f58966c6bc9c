using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Training;

namespace Spk.Bench.Pipeline;

/// <summary>
/// A whole training step of the shipped recipe (batch of 64 utterances, two crops of a second each, rooms and noise, features, x-vector of
/// width 128, loss, backward, Adam, log line) and its part that makes the batch. Utterances per second are 64 by the mean time.
/// </summary>
[MemoryDiagnoser]
public class TrainStepBench
{
    private readonly SmallRecipe _recipe = new();
    private CpuDevice _device = null!;
    private Trainer _trainer = null!;
    private TrainingSession _session = null!;
    private long _step;

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _trainer = Trainer.Open(_recipe.Parse("{ kind: tdnn, width: 128, embeddingSize: 128 }", "{ kind: simclr }"), _recipe.Run, _device);
        _session = new TrainingSession(_trainer.Pipeline, new RunFolder(_recipe.Run), 0, null, _device.Name);
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
        _recipe.Dispose();
    }
}
