using BenchmarkDotNet.Attributes;
using Spk.Bench.Support;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Scoring;

namespace Spk.Bench.Scoring;

/// <summary>Statistics of 10,000 embeddings against a cohort of 10,000, of 192 elements each.</summary>
[MemoryDiagnoser]
public class ScoreNormBench
{
    private const int Rows = 10_000, Size = 192;

    private CpuDevice _device = null!;
    private EmbeddingTable _embeddings = null!, _cohort = null!;

    [GlobalSetup]
    public void Setup()
    {
        _device = BenchDevice.Open();
        (_embeddings, _cohort) = (Table("e", 1), Table("c", 2));

        // Never time a wrong statistic: all nearest of all are all.
        var some = _embeddings.Select(["e0", "e1"]);
        var members = _cohort.Select([.. _cohort.Ids.Take(500)]);
        var all = new ScoreNormalizer(members, new ScoreNormOptions { Kind = ScoreNorm.S }).Measure(some, _device);
        var nearest = new ScoreNormalizer(members, new ScoreNormOptions { Top = 500 }).Measure(some, _device);
        for (int i = 0; i < all.Length; i++)
        {
            if (!(Math.Abs(all[i].Mean - nearest[i].Mean) < 1e-5) || !(Math.Abs(all[i].Deviation - nearest[i].Deviation) < 1e-5))
            {
                throw new InvalidOperationException($"row {i}: {all[i]} and {nearest[i]} should agree");
            }
        }
    }

    /// <summary>Mean and deviation over the 300 nearest: 38.4 GFLOP of cosines and a selection from each row.</summary>
    [Benchmark]
    public CohortStatistics[] Adaptive() => new ScoreNormalizer(_cohort).Measure(_embeddings, _device);

    /// <summary>Mean and deviation over all: 1.5 GFLOP through the cohort's covariance.</summary>
    [Benchmark]
    public CohortStatistics[] WholeCohort() => new ScoreNormalizer(_cohort, new ScoreNormOptions { Kind = ScoreNorm.S }).Measure(_embeddings, _device);

    [GlobalCleanup]
    public void Cleanup() => _device.Dispose();

    private static EmbeddingTable Table(string name, ulong seed)
    {
        var random = new CounterRandom(seed, RandomPurpose.Initialization);
        var values = new float[Rows * Size];
        foreach (ref float value in values.AsSpan())
        {
            value = random.NextNormal();
        }

        return new EmbeddingTable([.. Enumerable.Range(0, Rows).Select(i => $"{name}{i}")], values, Size);
    }
}
