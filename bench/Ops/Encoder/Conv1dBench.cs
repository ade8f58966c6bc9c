using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>The first and second layer of an x-vector and one group of a Res2 block, forward and backward.</summary>
[MemoryDiagnoser]
public class Conv1dBench
{
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private Tensor _x = null!, _weight = null!, _bias = null!, _dy = null!;
    private int _dilation;
    private Padding _padding;

    [Params("40-512-k5-d1", "512-512-k3-d2", "64-64-k3-d2-reflect")]
    public string Layer { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        string[] parts = Layer.Split('-');
        int inputs = int.Parse(parts[0]), outputs = int.Parse(parts[1]), taps = int.Parse(parts[2][1..]);
        _dilation = int.Parse(parts[3][1..]);
        _padding = parts.Length > 4 ? Padding.Reflect : Padding.Valid;
        int frames = _padding == Padding.Valid ? 200 - (_dilation * (taps - 1)) : 200;
        _device = BenchDevice.Open();
        _dy = BenchDevice.Random(_device, new Shape(64, frames, outputs), 2);
        var parameters = new ParameterSet(_device);
        var x = parameters.Add("x", new Shape(64, 200, inputs), Initializer.XavierNormal(1, 1));
        var weight = parameters.Add("weight", new Shape(outputs, taps, inputs), Initializer.UniformFanIn(inputs * taps));
        var bias = parameters.Add("bias", new Shape(outputs), Initializer.UniformFanIn(inputs * taps));
        parameters.Allocate(1);
        (_x, _weight, _bias) = (x.Value, weight.Value, bias.Value);
    }

    [Benchmark]
    public void Forward()
    {
        _device.Workspace.Reset();
        Conv1d.Forward(null, _x, _weight, _bias, _dilation, _padding);
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        var y = Conv1d.Forward(_tape, _x, _weight, _bias, _dilation, _padding);
        _dy.AsSpan().CopyTo(y.GradForWrite(out _).AsSpan());
        _tape.BackwardFromGradients();
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
