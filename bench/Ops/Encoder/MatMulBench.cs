using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Encoder;

/// <summary>The shapes of the peer's sgemm cases: cubes, and the layers of a TDNN as plain products.</summary>
[MemoryDiagnoser]
public class MatMulBench
{
    private CpuDevice _device = null!;
    private Tensor _a = null!, _b = null!;

    [Params("256x256x256", "512x512x512", "1024x1024x1024", "2048x2048x2048", "12800x200x512", "12800x1536x512", "12800x512x512", "6400x1536x1536")]
    public string Size { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        int[] s = [.. Size.Split('x').Select(int.Parse)];
        _device = BenchDevice.Open();
        _a = BenchDevice.Random(_device, new Shape(s[0], s[1]), 1);
        _b = BenchDevice.Random(_device, new Shape(s[1], s[2]), 2);
    }

    [Benchmark]
    public void Forward()
    {
        _device.Workspace.Reset();
        MatMul.Forward(null, _a, _b);
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
