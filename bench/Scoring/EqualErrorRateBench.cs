using BenchmarkDotNet.Attributes;
using Spk.Engine.Numerics;
using Spk.Engine.Scoring;

namespace Spk.Bench.Scoring;

/// <summary>The equal error rate alone, beside the operating points that need all trials sorted.</summary>
[MemoryDiagnoser]
public class EqualErrorRateBench
{
    private float[] _scores = [];
    private bool[] _labels = [];

    [Params(1_000_000, 10_000_000)]
    public int Trials { get; set; }

    [GlobalSetup]
    public void Setup()
    {
        var random = new CounterRandom(1, RandomPurpose.Initialization);
        (_scores, _labels) = (new float[Trials], new bool[Trials]);
        for (int i = 0; i < Trials; i++)
        {
            _labels[i] = i % 10 == 0;
            _scores[i] = random.NextNormal() + (_labels[i] ? 2 : 0);
        }

        if (Sorted() != Counted())
        {
            throw new InvalidOperationException("The two ways disagree.");
        }
    }

    [Benchmark(Baseline = true)]
    public double Sorted() => VerificationMetrics.Compute(_scores, _labels).Eer;

    [Benchmark]
    public double Counted() => EqualErrorRate.Compute(_scores, _labels);
}
