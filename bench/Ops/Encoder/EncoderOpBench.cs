using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>Forward, and forward with backward, of an op over activations.</summary>
[MemoryDiagnoser]
public abstract class EncoderOpBench
{
    private readonly Tape _tape = new();
    private Tensor _dy = null!;

    protected CpuDevice Device { get; private set; } = null!;

    protected Tensor X { get; private set; } = null!;

    protected ParameterSet Parameters { get; private set; } = null!;

    protected abstract Shape Input { get; }

    [GlobalSetup]
    public void Setup()
    {
        Device = BenchDevice.Open();
        X = BenchDevice.Random(Device, Input, 1);
        Parameters = new ParameterSet(Device);
        CreateParameters();
        Parameters.Allocate(1);
        var y = Run(null);
        _dy = BenchDevice.Random(Device, y.Shape, 2);
    }

    [Benchmark]
    public void Forward()
    {
        Device.Workspace.Reset();
        Run(null);
    }

    [Benchmark]
    public void ForwardBackward()
    {
        Device.Workspace.Reset();
        _tape.Clear();

        X.BeginGradient();
        var y = Run(_tape);
        _dy.AsSpan().CopyTo(y.GradForWrite(out _).AsSpan());
        _tape.BackwardFromGradients();
    }

    [GlobalCleanup]
    public void Cleanup() => Device.Dispose();

    protected virtual void CreateParameters() { }

    protected abstract Tensor Run(Tape? tape);

    protected Parameter Weight(string name, params ReadOnlySpan<int> shape) =>
        Parameters.Add(name, shape.Length == 1 ? new Shape(shape[0]) : new Shape(shape[0], shape[1]), Initializer.UniformFanIn(shape[^1]));
}
