using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Score;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Score;

/// <summary>The 300 nearest of a cohort of 6000, as in adaptive score normalisation.</summary>
[MemoryDiagnoser]
public class CosineTopKBench
{
    private CpuDevice _device = null!;
    private Tensor _queries = null!, _keys = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _queries = BenchDevice.Random(_device, new Shape(1000, 192), 1);
        _keys = BenchDevice.Random(_device, new Shape(6000, 192), 2);
    }

    [Benchmark]
    public void Cohort()
    {
        _device.Workspace.Reset();
        CosineTopK.Forward(_queries, _keys, 300);
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
