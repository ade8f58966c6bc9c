using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Training;
using Spk.Training.Objectives;

namespace Spk.Bench.Pipeline;

/// <summary>A whole training step of each objective with the encoder of its small recipe; those of dialogues differ in the loss only, which has benchmarks of its own.</summary>
[MemoryDiagnoser]
public class ObjectiveBench
{
    private const string Tdnn = "{ kind: tdnn, width: 128, embeddingSize: 128 }";

    private readonly SmallRecipe _recipe = new();
    private CpuDevice _device = null!;
    private Trainer _trainer = null!;
    private TrainingSession _session = null!;
    private long _step;

    [Params(ObjectiveKind.SimClr, ObjectiveKind.Moco, ObjectiveKind.Dino, ObjectiveKind.Supervised, ObjectiveKind.Cola, ObjectiveKind.Apc)]
    public ObjectiveKind Objective { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var (encoder, objective) = Objective switch
        {
            ObjectiveKind.Moco => (Tdnn, "{ kind: moco, queueSize: 512 }"),
            ObjectiveKind.Dino => (Tdnn, "{ kind: dino, distill: { hidden: 256, bottleneck: 64, prototypes: 1024 } }"),
            ObjectiveKind.Supervised => (Tdnn, "{ kind: supervised, marginKind: additiveAngular, margin: 0.2, scale: 30 }"),
            ObjectiveKind.Cola => (Tdnn, "{ kind: cola, cola: { outputs: 128 } }"),
            ObjectiveKind.Apc => ("{ kind: gru, layers: 3, width: 128, embeddingSize: 128 }", "{ kind: apc, apc: { ahead: 3 } }"),
            _ => (Tdnn, "{ kind: simclr }"),
        };
        _device = BenchDevice.Open();
        _trainer = Trainer.Open(_recipe.Parse(encoder, objective), _recipe.Run, _device);
        _session = new TrainingSession(_trainer.Pipeline, new RunFolder(_recipe.Run), 0, null, _device.Name);
    }

    [Benchmark]
    public void Step() => _session.Step(_step++);

    [GlobalCleanup]
    public void Cleanup()
    {
        _session.Dispose();
        _trainer.Dispose();
        _device.Dispose();
        _recipe.Dispose();
    }
}
