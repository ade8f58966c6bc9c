using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>
/// The convolutions of Fast ResNet-34 over 2 s of audio: input channels, output channels, kernel, strides, and the size of the map.
/// Operations of a forward pass: 2 · N · H' · W' · Co · k² · Ci; backward, twice as many.
/// </summary>
[MemoryDiagnoser]
public class Conv2dBench
{
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private Tensor _x = null!, _weight = null!, _dy = null!;
    private int _strideHeight, _strideWidth;

    [Params(
        "1-16-k7-s21-40x201",
        "16-16-k3-s11-20x201",
        "16-32-k3-s22-20x201",
        "16-32-k1-s22-20x201",
        "32-32-k3-s11-10x101",
        "64-64-k3-s11-5x51",
        "128-128-k3-s11-5x51")]
    public string Layer { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        string[] parts = Layer.Split('-');
        int inputs = int.Parse(parts[0]), outputs = int.Parse(parts[1]), taps = int.Parse(parts[2][1..]);
        (_strideHeight, _strideWidth) = (parts[3][1] - '0', parts[3][2] - '0');
        int[] size = [.. parts[4].Split('x').Select(int.Parse)];
        _device = BenchDevice.Open();
        var parameters = new ParameterSet(_device);
        var x = parameters.Add("x", new Shape(32, size[0], size[1], inputs), Initializer.XavierNormal(1, 1));
        var weight = parameters.Add("weight", new Shape(outputs, taps, taps, inputs), Initializer.KaimingNormalFanOut(outputs * taps * taps));
        parameters.Allocate(1);
        (_x, _weight) = (x.Value, weight.Value);

        // The stem reads features, which need no gradient.
        _x.RequiresGrad = inputs > 1;
        _dy = BenchDevice.Random(_device, Run(null).Shape, 2);
    }

    [Benchmark]
    public void Forward()
    {
        _device.Workspace.Reset();
        Run(null);
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        var y = Run(_tape);
        _dy.AsSpan().CopyTo(y.GradForWrite(out _).AsSpan());
        _tape.BackwardFromGradients();
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();

    private Tensor Run(Tape? tape)
    {
        int padding = _weight.Shape[1] / 2;
        return Conv2d.Forward(tape, _x, _weight, null, _strideHeight, _strideWidth, padding, padding);
    }
}
