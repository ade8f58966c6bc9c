using BenchmarkDotNet.Attributes;
using Spk.Engine.Clustering;

namespace Spk.Bench.Clustering;

/// <summary>Three rounds of a mixture of 256 components on 20,000 embeddings of 192 numbers, from given labels.</summary>
[MemoryDiagnoser]
public class GaussianMixtureBench
{
    private const int Dimension = 192;
    private float[] _rows = [];
    private int[] _labels = [];

    [GlobalSetup]
    public void Setup() => (_rows, _labels) = ClusterSamples.Blobs(20_000, Dimension, 256);

    [Benchmark]
    public double ThreeRounds() => GaussianMixture
        .FitFromLabels(_rows, Dimension, _labels, new GaussianMixtureOptions { MaximumIterations = 3, Tolerance = 0 })
        .LogLikelihoods[^1];
}
