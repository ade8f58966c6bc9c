using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Loss;

/// <summary>Two losses into one, as in MoCo.</summary>
[MemoryDiagnoser]
public class WeightedSumBench
{
    private CpuDevice _device = null!;
    private Tensor _a = null!, _b = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        (_a, _b) = (BenchDevice.Random(_device, new Shape(1), 1), BenchDevice.Random(_device, new Shape(1), 2));
    }

    [Benchmark]
    public void Forward()
    {
        _device.Workspace.Reset();
        WeightedSum.Forward(null, [_a, _b], [0.5f, 0.5f]);
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
