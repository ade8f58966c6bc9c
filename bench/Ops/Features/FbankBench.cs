using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Ops.Features;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Features;

/// <summary>
/// 64 crops of 2 s (the batch that torchaudio is measured with) and one utterance of a minute, with and without dither.
/// </summary>
[MemoryDiagnoser]
public class FbankBench
{
    private CpuDevice _device = null!;
    private FeatureTables _tables = null!;
    private Tensor _batch = null!, _long = null!;

    [Params("kaldi-fbank80", "torchaudio-mel40")]
    public string Preset { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        var spec = FeatureSpec.Preset(Preset);
        _tables = new FeatureTables(spec.Flavor == FeatureFlavor.Kaldi ? spec with { Dither = 1 } : spec);
        _batch = BenchDevice.Random(_device, new Shape(64, 32000), 1);
        _long = BenchDevice.Random(_device, new Shape(1, 960000), 2);
    }

    [Benchmark]
    public void Batch()
    {
        _device.Workspace.Reset();
        Fbank.Forward(_device, _tables, _batch);
    }

    [Benchmark]
    public void BatchInTraining()
    {
        _device.Workspace.Reset();
        Fbank.Forward(_device, _tables, _batch, ditherSeed: 1, ditherEpoch: 1);
    }

    [Benchmark]
    public void Minute()
    {
        _device.Workspace.Reset();
        Fbank.Forward(_device, _tables, _long);
    }

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
