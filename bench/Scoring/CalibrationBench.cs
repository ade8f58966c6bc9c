using BenchmarkDotNet.Attributes;
using Spk.Engine.Numerics;
using Spk.Engine.Scoring;

namespace Spk.Bench.Scoring;

/// <summary>Scale and offset that turn a hundred thousand scores into likelihood ratios, and those ratios.</summary>
[MemoryDiagnoser]
public class CalibrationBench
{
    private readonly float[] _scores = new float[100_000];
    private readonly bool[] _labels = new bool[100_000];
    private Calibration _calibration = null!;

    [GlobalSetup]
    public void Setup()
    {
        var random = new CounterRandom(1, RandomPurpose.Initialization);
        for (int i = 0; i < _scores.Length; i++)
        {
            _labels[i] = i % 3 == 0;
            _scores[i] = (0.2f * random.NextNormal()) + (_labels[i] ? 0.5f : 0);
        }

        _calibration = Fit();
    }

    [Benchmark]
    public Calibration Fit() => Calibration.Fit(_scores, _labels);

    [Benchmark]
    public double[] LogLikelihoodRatios() => _calibration.LogLikelihoodRatios(_scores);
}
