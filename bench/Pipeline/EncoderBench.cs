using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Encoders;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;

namespace Spk.Bench.Pipeline;

/// <summary>Inference and one Adam training step of an encoder; the loss is a dot product with fixed targets, so the time is the network's.</summary>
[MemoryDiagnoser]
public abstract class EncoderBench
{
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private ParameterSet _parameters = null!;
    private Encoder _encoder = null!;
    private Tensor _features = null!, _targets = null!, _mean = null!, _meanSquare = null!;
    private long _step;

    protected abstract EncoderSpec Spec { get; }

    protected abstract int Batch { get; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _parameters = new ParameterSet(_device);
        _encoder = Encoder.Create(Spec, _parameters);
        _parameters.Allocate(1);
        _features = BenchDevice.Random(_device, new Shape(Batch, 200, Spec.Bins), 1);
        _targets = BenchDevice.Random(_device, new Shape(Batch, Spec.EmbeddingSize), 2);
        _mean = _device.AllocatePersistent(_parameters.Values.Shape);
        _meanSquare = _device.AllocatePersistent(_parameters.Values.Shape);
    }

    [Benchmark]
    public void Embed()
    {
        _device.Workspace.Reset();
        _encoder.Forward(null, _features, training: false);
    }

    [Benchmark]
    public void TrainStep()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        _parameters.ZeroGradients();
        var y = _encoder.Forward(_tape, _features, training: true);
        _targets.AsSpan().CopyTo(y.GradForWrite(out _).AsSpan());
        _tape.BackwardFromGradients();
        Adam.Step(_parameters.Values, _parameters.Gradients, _mean, _meanSquare, ++_step, new AdamSettings { LearningRate = 1e-4 });
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
