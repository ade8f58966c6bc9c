using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Cluster;

/// <summary>First centroids of 256 clusters of 20,000 rows of 192 columns.</summary>
[MemoryDiagnoser]
public class KMeansInitBench
{
    private CpuDevice _device = null!;
    private Tensor _rows = null!, _centroids = null!;

    [Params(KMeansInitialization.RandomRows, KMeansInitialization.PlusPlus, KMeansInitialization.Parallel)]
    public KMeansInitialization Kind { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        _rows = BenchDevice.Random(_device, new Shape(20_000, 192), 1);
        _centroids = _device.AllocatePersistent(new Shape(256, 192));
    }

    [Benchmark]
    public void Forward() => KMeansInit.Forward(_device, _rows, null, ClusterMetric.Euclidean, Kind, 0, 1, 0, _centroids);

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
