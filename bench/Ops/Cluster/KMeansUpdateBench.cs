using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Bench.Ops.Cluster;

/// <summary>The update step: reads every row once.</summary>
[MemoryDiagnoser]
public class KMeansUpdateBench
{
    private CpuDevice _device = null!;
    private Tensor _rows = null!, _centroids = null!, _labels = null!, _counts = null!;

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
        _counts = _device.AllocatePersistent(new Shape(sizes[2]), ElementType.Int32);
        for (int i = 0; i < sizes[0]; i++)
        {
            // Neighbours in the table belong to clusters far apart, as in real data.
            _labels.AsIntSpan()[i] = (int)(i * 7919L % sizes[2]);
        }
    }

    [Benchmark]
    public void Forward() => KMeansUpdate.Forward(_device, _rows, null, _labels, ClusterMetric.Euclidean, _centroids, _counts);

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
