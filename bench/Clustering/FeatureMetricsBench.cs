using BenchmarkDotNet.Attributes;
using Spk.Engine.Clustering;

namespace Spk.Bench.Clustering;

/// <summary>Measures on 10,000 embeddings of 192 numbers in 500 clusters.</summary>
[MemoryDiagnoser]
public class FeatureMetricsBench
{
    private const int Dimension = 192;
    private float[] _rows = [];
    private int[] _labels = [];

    [GlobalSetup]
    public void Setup() => (_rows, _labels) = ClusterSamples.Blobs(10_000, Dimension, 500);

    [Benchmark]
    public double Silhouette() => FeatureMetrics.Silhouette(_rows, Dimension, _labels);

    [Benchmark]
    public double SilhouetteCosine() => FeatureMetrics.Silhouette(_rows, Dimension, _labels, ClusterMetric.Cosine);

    [Benchmark]
    public double CalinskiHarabasz() => FeatureMetrics.CalinskiHarabasz(_rows, Dimension, _labels);

    [Benchmark]
    public double DaviesBouldin() => FeatureMetrics.DaviesBouldin(_rows, Dimension, _labels);
}
