using BenchmarkDotNet.Attributes;
using Spk.Engine.Clustering;

namespace Spk.Bench.Clustering;

/// <summary>Trees over 5000 centroids of 192 numbers.</summary>
[MemoryDiagnoser]
public class AgglomerativeBench
{
    private const int Dimension = 192;
    private float[] _rows = [];

    [GlobalSetup]
    public void Setup() => (_rows, _) = ClusterSamples.Blobs(5000, Dimension, 700);

    [Params(Linkage.Ward, Linkage.Average)]
    public Linkage Linkage { get; set; }

    [Benchmark]
    public int Tree() => Agglomerative.Fit(_rows, Dimension, new AgglomerativeOptions { Linkage = Linkage }).Merges.Length;
}
