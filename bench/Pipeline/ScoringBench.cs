using BenchmarkDotNet.Attributes;
using Spk.Engine.Numerics;
using Spk.Engine.Scoring;
using Spk.Training.Data;
using Spk.Training.Evaluation;
using Spk.Training.Reports;

namespace Spk.Bench.Pipeline;

/// <summary>
/// The work after the embeddings: metrics of a million trials, the evaluation of a list of the size of openvoices (2580 trials of
/// 40 speakers, 1000 bootstrap draws), and the map of its 340 embeddings.
/// </summary>
[MemoryDiagnoser]
public class ScoringBench
{
    private const int Speakers = 40, Utterances = 8, Dimension = 128;

    private readonly float[] _scores = new float[1_000_000];
    private readonly bool[] _labels = new bool[1_000_000];
    private readonly List<Trial> _trials = [];
    private EmbeddingTable _table = null!;
    private float[] _map = [];

    [GlobalSetup]
    public void Setup()
    {
        var random = new CounterRandom(1, RandomPurpose.Initialization);
        for (int i = 0; i < _scores.Length; i++)
        {
            _labels[i] = i % 3 == 0;
            _scores[i] = random.NextNormal() + (_labels[i] ? 1.5f : 0);
        }

        string[] ids = [.. from s in Enumerable.Range(0, Speakers) from u in Enumerable.Range(0, Utterances) select $"eval/{(s % 2 == 0 ? "so" : "ar")}{s:000}/{u}.wav"];
        var values = new float[ids.Length * Dimension];
        var centres = new float[Speakers * Dimension];
        foreach (ref float centre in centres.AsSpan())
        {
            centre = random.NextNormal();
        }

        for (int i = 0; i < values.Length; i++)
        {
            values[i] = centres[(i / Dimension / Utterances * Dimension) + (i % Dimension)] + (2 * random.NextNormal());
        }

        _table = new EmbeddingTable(ids, values, Dimension);
        while (_trials.Count < 2580)
        {
            int first = random.NextInt(ids.Length);
            int second = _trials.Count % 2 == 0 ? (first / Utterances * Utterances) + random.NextInt(Utterances) : random.NextInt(ids.Length);
            _trials.Add(new Trial(first / Utterances == second / Utterances, ids[first], ids[second]));
        }

        _map = new float[340 * Dimension];
        foreach (ref float value in _map.AsSpan())
        {
            value = random.NextNormal();
        }
    }

    [Benchmark]
    public double MetricsOfMillionTrials() => VerificationMetrics.Compute(_scores, _labels).Eer;

    [Benchmark]
    public double EvaluationWithBootstrap() => TrialEvaluation.Run(_trials, _table).Eer;

    [Benchmark]
    public double[] TSneOf340Points() => TSne.Run(_map, Dimension);
}
