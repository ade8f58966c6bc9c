using BenchmarkDotNet.Attributes;
using Spk.Engine.Clustering;

namespace Spk.Bench.Clustering;

/// <summary>
/// Agreement of a million pseudo-labels with 6000 speakers: from a good clustering (few cells) to labels drawn at random, where
/// nearly every point is a cell of its own and the matching has nothing but ties.
/// </summary>
[MemoryDiagnoser]
public class LabelMetricsBench
{
    private int[] _truth = [], _predicted = [];
    private ContingencyTable _table = null!;

    [Params(0.0, 0.3, 1.0)]
    public double Noise { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        (_truth, _predicted) = ClusterSamples.Labels(1_000_000, 6000, 10_000, Noise);
        _table = ContingencyTable.Build(_truth, _predicted);
    }

    [Benchmark]
    public int Table() => ContingencyTable.Build(_truth, _predicted).Cells;

    [Benchmark]
    public double Accuracy() => LabelMetrics.Accuracy(_table);

    [Benchmark]
    public double AdjustedMutualInformation() => LabelMetrics.AdjustedMutualInformation(_table);

    [Benchmark]
    public double Everything() => LabelMetrics.Compare(_truth, _predicted).Completeness;
}
