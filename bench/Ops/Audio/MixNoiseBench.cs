using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Audio;

/// <summary>Noise on 64 crops of 2 s.</summary>
[MemoryDiagnoser]
public class MixNoiseBench
{
    // High enough that mixing again and again stays finite.
    private readonly float[] _ratios = [.. Enumerable.Repeat(80f, 64)];
    private CpuDevice _device = null!;
    private Tensor _waves = null!, _noise = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _waves = BenchDevice.Random(_device, new Shape(64, 32000), 1);
        _noise = BenchDevice.Random(_device, new Shape(64, 32000), 2);
    }

    [Benchmark]
    public void Apply() => MixNoise.Apply(_waves, _noise, _ratios);

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
