using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Cluster;

/// <summary>The assignment step on random rows; 2·N·K·D floating-point operations.</summary>
[MemoryDiagnoser]
public class KMeansAssignBench
{
    private CpuDevice _device = null!;
    private Tensor _rows = null!, _centroids = null!, _labels = null!, _distances = null!;

    [Params("20000x192x256", "100000x192x1000", "100000x512x1000")]
    public string Shape { get; set; } = "";

    [GlobalSetup]
    public void Setup()
    {
        int[] sizes = [.. Shape.Split('x').Select(int.Parse)];
        _device = BenchDevice.Open();
        _rows = BenchDevice.Random(_device, new Shape(sizes[0], sizes[1]), 1);
        _centroids = BenchDevice.Random(_device, new Shape(sizes[2], sizes[1]), 2);
        _labels = _device.AllocatePersistent(new Shape(sizes[0]), ElementType.Int32);
        _distances = _device.AllocatePersistent(new Shape(sizes[0]));
    }

    [Benchmark]
    public KMeansAssignment Forward() => KMeansAssign.Forward(_device, _rows, null, _centroids, ClusterMetric.Euclidean, _labels, _distances);

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
