using Spk.Engine.Numerics;
using Spk.Engine.Scoring;
using Spk.Training.Data;

namespace Spk.Training.Evaluation;

/// <summary>
/// Resamples the speakers of a trial list with replacement. A trial then counts as often as the product of its two speakers'
/// multiplicities; a trial within one speaker as often as that speaker. Trials share speakers, so resampling the trials
/// themselves would make intervals far too narrow.
/// </summary>
internal sealed class SpeakerBootstrap
{
    private readonly int[] _first;
    private readonly int[] _second;
    private readonly ulong _seed;

    public SpeakerBootstrap(IReadOnlyList<Trial> trials, EvaluationOptions options)
    {
        var index = new Dictionary<string, int>(StringComparer.Ordinal);
        // A speaker is asked for once an utterance: a caller's function may be slow.
        var speakers = new Dictionary<string, int>(StringComparer.Ordinal);
        _first = new int[trials.Count];
        _second = new int[trials.Count];
        for (int i = 0; i < trials.Count; i++)
        {
            _first[i] = Of(trials[i].Enrolment);
            _second[i] = Of(trials[i].Test);
        }

        Speakers = index.Count;
        _seed = options.Seed;

        int Of(string utterance)
        {
            if (!speakers.TryGetValue(utterance, out int speaker))
            {
                string name = options.Speaker(utterance);
                speakers[utterance] = speaker = index.TryGetValue(name, out int known) ? known : index.Count;
                index.TryAdd(name, speaker);
            }

            return speaker;
        }
    }

    public int Speakers { get; }

    /// <summary>How often each speaker is drawn: a function of the seed and the draw alone.</summary>
    public void Draw(int draw, Span<int> multiplicity)
    {
        multiplicity.Clear();
        var random = new CounterRandom(_seed, RandomPurpose.Bootstrap, item: draw);
        for (int i = 0; i < Speakers; i++)
        {
            multiplicity[random.NextInt(Speakers)]++;
        }
    }

    /// <summary>A set of trials prepared for many draws.</summary>
    /// <param name="trials">Positions in the trial list, or null for all.</param>
    /// <param name="ranked">The scores of these trials.</param>
    public Sample Of(RankedTrials ranked, int[]? trials)
    {
        var first = new int[ranked.Count];
        var second = new int[ranked.Count];
        for (int rank = 0; rank < first.Length; rank++)
        {
            int trial = trials is null ? ranked.Order[rank] : trials[ranked.Order[rank]];
            first[rank] = _first[trial];
            second[rank] = _second[trial];
        }

        return new Sample(ranked, first, second);
    }

    /// <summary>Percentile interval of the values that are numbers; null where more than half are not.</summary>
    public static Interval? Percentiles(ReadOnlySpan<double> draws, double confidence, out int valid)
    {
        var sorted = new List<double>(draws.Length);
        foreach (double value in draws)
        {
            if (!double.IsNaN(value))
            {
                sorted.Add(value);
            }
        }

        valid = sorted.Count;
        if (valid == 0 || valid * 2 < draws.Length)
        {
            return null;
        }

        sorted.Sort();
        return new Interval(Quantile(sorted, (1 - confidence) / 2), Quantile(sorted, (1 + confidence) / 2));
    }

    private static double Quantile(List<double> sorted, double share)
    {
        double position = share * (sorted.Count - 1);
        int below = (int)position;
        int above = Math.Min(below + 1, sorted.Count - 1);
        return sorted[below] + ((position - below) * (sorted[above] - sorted[below]));
    }

    /// <summary>Trials sorted by score with the speakers of each in the same order.</summary>
    internal sealed class Sample(RankedTrials ranked, int[] first, int[] second)
    {
        public int Count => first.Length;

        /// <summary>Error rates of one draw; <paramref name="weights"/> is scratch for at least <see cref="Count"/> numbers.</summary>
        public double Rates(ReadOnlySpan<int> multiplicity, Span<int> weights, ReadOnlySpan<DetectionCost> costs, Span<double> minimumCosts)
        {
            Weigh(multiplicity, weights);
            return ranked.Weighted(weights[..first.Length], costs, minimumCosts);
        }

        /// <summary>How often each trial counts in a draw, in the order of the ranks.</summary>
        public void Weigh(ReadOnlySpan<int> multiplicity, Span<int> weights)
        {
            for (int rank = 0; rank < first.Length; rank++)
            {
                int a = first[rank], b = second[rank];
                weights[rank] = a == b ? multiplicity[a] : multiplicity[a] * multiplicity[b];
            }
        }
    }
}
