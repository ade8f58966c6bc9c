using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Training.Benchmarks.Cases;

namespace Spk.Bench.Clustering;

/// <summary>Twenty iterations of k-means from given centroids: the cases of the peers.</summary>
[MemoryDiagnoser]
public class KMeansBench
{
    private CpuDevice _device = null!;
    private float[] _rows = [], _initial = [];
    private int _dimension;
    private KMeansOptions _options = new();

    [Params("20000x192x256", "100000x192x1000", "100000x512x1000")]
    public string Shape { get; set; } = "";

    [Params(KMeansAlgorithm.Lloyd, KMeansAlgorithm.Bounded)]
    public KMeansAlgorithm Algorithm { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        int[] sizes = [.. Shape.Split('x').Select(int.Parse)];
        _device = BenchDevice.Open();
        _dimension = sizes[1];
        _rows = Inputs.Blobs(sizes[0], sizes[1], sizes[2], 7);
        _initial = _rows.AsSpan(0, sizes[2] * sizes[1]).ToArray();
        _options = new KMeansOptions { Clusters = sizes[2], Algorithm = Algorithm, MaximumIterations = 20, Tolerance = 0 };
    }

    [Benchmark]
    public KMeansResult Fit() => KMeans.Fit(_rows, _dimension, _options, _initial, device: _device);

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
