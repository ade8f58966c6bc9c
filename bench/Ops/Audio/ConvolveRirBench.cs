using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Audio;

/// <summary>64 waveforms through rooms; the responses are as long as the crop of 1 s, or 0.7 s for 2 s.</summary>
[MemoryDiagnoser]
public class ConvolveRirBench
{
    private readonly int[] _response = [.. Enumerable.Range(0, 64).Select(i => i % 8)];
    private CpuDevice _device = null!;
    private Tensor _waves = null!, _kept = null!;
    private RirBank _bank = null!;

    [Params(16000, 32000)]
    public int Samples { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _kept = BenchDevice.Random(_device, new Shape(64, Samples), 1);
        _waves = _device.AllocatePersistent(new Shape(64, Samples));
        var noise = BenchDevice.Random(_device, new Shape(8, Samples == 16000 ? 16000 : 11200), 2);
        int length = noise.Shape[1];
        float[][] responses = [.. Enumerable.Range(0, 8).Select(i => noise.AsSpan().Slice(i * length, length).ToArray())];
        _bank = new RirBank(_device, responses, Samples);
    }

    // The copy keeps repeated reverberation from dying away; it is about a fiftieth of the time.
    [Benchmark]
    public void Apply()
    {
        _kept.AsSpan().CopyTo(_waves.AsSpan());
        ConvolveRir.Apply(_waves, _bank, _response);
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
