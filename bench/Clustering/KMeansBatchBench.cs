using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Training.Benchmarks.Cases;

namespace Spk.Bench.Clustering;

/// <summary>64 problems of 2000 rows, 192 columns, 20 clusters, 20 iterations in one call.</summary>
[MemoryDiagnoser]
public class KMeansBatchBench
{
    private readonly List<KMeansProblem> _problems = [];
    private CpuDevice _device = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        for (int p = 0; p < 64; p++)
        {
            float[] rows = Inputs.Blobs(2000, 192, 20, 100 + (ulong)p);
            _problems.Add(new KMeansProblem(rows, 192, 20) { InitialCentroids = rows.AsMemory(0, 20 * 192) });
        }
    }

    [Benchmark]
    public int FitBatch() =>
        KMeans.FitBatch(_problems, new KMeansOptions { MaximumIterations = 20, Tolerance = 0 }, _device).Sum(r => r.Iterations);

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();
}
