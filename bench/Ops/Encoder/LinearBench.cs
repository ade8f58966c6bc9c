using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>A segment layer (few rows) and a frame layer of kernel 1 (many rows), forward and backward.</summary>
[MemoryDiagnoser]
public class LinearBench
{
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private Tensor _x = null!, _weight = null!, _bias = null!, _dy = null!;

    [Params(128, 12800)]
    public int Rows { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _x = BenchDevice.Random(_device, new Shape(Rows, 512), 1);
        _dy = BenchDevice.Random(_device, new Shape(Rows, 512), 2);
        var parameters = new ParameterSet(_device);
        var weight = parameters.Add("weight", new Shape(512, 512), Initializer.UniformFanIn(512));
        var bias = parameters.Add("bias", new Shape(512), Initializer.UniformFanIn(512));
        parameters.Allocate(1);
        (_weight, _bias) = (weight.Value, bias.Value);
    }

    [Benchmark]
    public void Forward()
    {
        _device.Workspace.Reset();
        Linear.Forward(null, _x, _weight, _bias);
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        var y = Linear.Forward(_tape, _x, _weight, _bias);
        _dy.AsSpan().CopyTo(y.GradForWrite(out _).AsSpan());
        _tape.BackwardFromGradients();
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
