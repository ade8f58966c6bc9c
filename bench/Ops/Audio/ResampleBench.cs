using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Audio;

/// <summary>One minute to 16 kHz.</summary>
[MemoryDiagnoser]
public class ResampleBench
{
    private CpuDevice _device = null!;
    private Tensor _wave = null!;

    [Params(8000, 44100, 48000)]
    public int FromRate { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _wave = BenchDevice.Random(_device, new Shape(1, 60 * FromRate), 1);
    }

    [Benchmark]
    public void Forward()
    {
        _device.Workspace.Reset();
        Resample.Forward(_device, _wave, FromRate, 16000);
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
