using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Ops.Features;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Features;

/// <summary>Features of 64 crops of 2 s.</summary>
[MemoryDiagnoser]
public class FeatureNormBench
{
    private readonly Tape _tape = new();
    private CpuDevice _device = null!;
    private Tensor _x = null!, _dy = null!;

    [Params(FeatureNormalization.Mean, FeatureNormalization.Instance)]
    public FeatureNormalization Kind { get; set; }

    [Params(40, 80)]
    public int Bins { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _x = BenchDevice.Random(_device, new Shape(64, 201, Bins), 1);
        _dy = BenchDevice.Random(_device, new Shape(64, 201, Bins), 2);
    }

    [Benchmark]
    public void Forward()
    {
        _device.Workspace.Reset();
        FeatureNorm.Forward(null, _x, Kind);
    }

    [Benchmark]
    public void ForwardBackward()
    {
        _device.Workspace.Reset();
        _tape.Clear();
        var x = _device.Workspace.Reshape(_x, _x.Shape);
        x.RequiresGrad = true;
        var y = FeatureNorm.Forward(_tape, x, Kind);
        _dy.AsSpan().CopyTo(y.GradForWrite(out _).AsSpan());
        _tape.BackwardFromGradients();
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
