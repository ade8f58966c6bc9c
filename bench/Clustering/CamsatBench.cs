using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;

namespace Spk.Bench.Clustering;

/// <summary>One epoch of CAMSAT on 2,000 embeddings of 192 dimensions, 100 clusters.</summary>
[MemoryDiagnoser]
public class CamsatBench
{
    private const int Dimension = 192;

    private readonly CamsatOptions _options = new() { Epochs = 1, Seed = 1 };
    private CpuDevice _device = null!;
    private float[] _rows = [];

    [GlobalSetup]
    public void Setup() => (_device, _rows) = (BenchDevice.Open(), ClusterSamples.Blobs(2000, Dimension, 100).Rows);

    [Benchmark]
    public CamsatResult Epoch() => Camsat.Fit(_rows, Dimension, _options, device: _device);

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
