using System.Text.Json;
using NUnit.Framework;
using Spk.Engine.Numerics;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Tests.Evaluation;

public class TrialEvaluationTests
{
    [Test]
    public void Json_has_the_fixed_names_and_fractions()
    {
        var (trials, table) = Voices(speakers: 12, utterances: 4, noise: 1.2f);
        var result = TrialEvaluation.Run(trials, table);
        using var json = JsonDocument.Parse(result.ToJson());
        var root = json.RootElement;
        Assert.That(root.EnumerateObject().Take(5).Select(p => p.Name), Is.EqualTo(new[] { "eer", "minDcf01", "minDcf05", "trials", "groups" }));
        Assert.That(root.GetProperty("eer").GetDouble(), Is.EqualTo(result.Eer).And.InRange(0.0, 0.5));
        Assert.That(root.GetProperty("trials").GetInt32(), Is.EqualTo(trials.Count));
        Assert.That(root.GetProperty("groups").EnumerateObject().Select(p => p.Name), Is.EqualTo(new[] { "ar", "so" }));
        Assert.That(root.GetProperty("groups").GetProperty("so").GetProperty("eer").GetDouble(), Is.InRange(0.0, 0.5));
        Assert.That(root.GetProperty("eerInterval").GetArrayLength(), Is.EqualTo(2));
        Assert.That(result.MeanCosineSame, Is.GreaterThan(result.MeanCosineDifferent));
    }

    [Test]
    public void Groups_are_evaluated_alone()
    {
        var (trials, table) = Voices(12, 4, 1.2f);
        var result = TrialEvaluation.Run(trials, table, new EvaluationOptions { BootstrapDraws = 0 });
        foreach (var group in result.Groups)
        {
            Trial[] own = [.. trials.Where(t => t.Enrolment.StartsWith("eval/" + group.Name, StringComparison.Ordinal))];
            var alone = VerificationMetrics.Compute(TrialEvaluation.Score(own, table), [.. own.Select(t => t.IsTarget)]);
            Assert.That((group.Trials, group.Eer, group.MinDcf05), Is.EqualTo((own.Length, alone.Eer, alone.MinDcf(0.05))));
        }

        Assert.That(result.EerInterval, Is.Null);
    }

    [Test]
    public void A_regular_expression_groups_trials()
    {
        var (trials, table) = Voices(12, 4, 1.2f);
        var result = TrialEvaluation.Run(trials, table, new EvaluationOptions { GroupBy = "/so0*([01])/", BootstrapDraws = 0 });
        Assert.That(result.Groups.Select(g => g.Name), Is.SubsetOf(new[] { "0", "1", "other" }));
        Assert.That(result.Groups.Sum(g => g.Trials), Is.EqualTo(trials.Count));
        Assert.That(() => TrialEvaluation.Run(trials, table, new EvaluationOptions { GroupBy = "(" }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("groupBy"));
    }

    [Test]
    public void A_group_of_one_kind_has_no_rate()
    {
        Trial[] trials = [new(true, "a1/x", "a1/y"), new(false, "a1/x", "b1/z"), new(true, "b1/z", "b1/w")];
        var result = TrialEvaluation.Run(trials, [0.9f, 0.1f, 0.8f]);
        Assert.That(result.Groups.Select(g => (g.Name, g.Eer.HasValue)), Is.EqualTo(new[] { ("a", true), ("b", false) }));
        using var json = JsonDocument.Parse(result.ToJson(indented: true));
        Assert.That(json.RootElement.GetProperty("groups").GetProperty("b").GetProperty("eer").ValueKind, Is.EqualTo(JsonValueKind.Null));
    }

    [Test]
    public void The_bootstrap_weighs_trials_by_the_multiplicities_of_speakers()
    {
        var (trials, table) = Voices(9, 3, 1.5f);
        float[] scores = TrialEvaluation.Score(trials, table);
        var options = new EvaluationOptions { Seed = 5 };
        var bootstrap = new SpeakerBootstrap(trials, options);
        Assert.That(bootstrap.Speakers, Is.EqualTo(9));
        bool[] labels = [.. trials.Select(t => t.IsTarget)];
        var sample = bootstrap.Of(RankedTrials.Rank(scores, labels), null);
        var speakers = trials.SelectMany(t => new[] { t.Enrolment, t.Test }).Select(SpeakerFolders.Speaker).Distinct().ToList();
        var multiplicity = new int[9];
        for (int draw = 0; draw < 20; draw++)
        {
            bootstrap.Draw(draw, multiplicity);
            Assert.That(multiplicity.Sum(), Is.EqualTo(9));
            var repeated = new List<int>();
            for (int i = 0; i < trials.Count; i++)
            {
                string a = SpeakerFolders.Speaker(trials[i].Enrolment), b = SpeakerFolders.Speaker(trials[i].Test);
                int first = multiplicity[speakers.IndexOf(a)], second = multiplicity[speakers.IndexOf(b)];
                repeated.AddRange(Enumerable.Repeat(i, a == b ? first : first * second));
            }

            double got = sample.Rates(multiplicity, new int[trials.Count], [], []);
            var wanted = VerificationMetrics.Compute([.. repeated.Select(i => scores[i])], [.. repeated.Select(i => labels[i])]);
            Assert.That(got, Is.EqualTo(wanted.Eer));
        }
    }

    [Test]
    public void Intervals_hold_the_estimate_repeat_exactly_and_are_wider_than_trials_suggest()
    {
        var (trials, table) = Voices(20, 6, 1.4f);
        var first = TrialEvaluation.Run(trials, table);
        var again = TrialEvaluation.Run(trials, table);
        var other = TrialEvaluation.Run(trials, table, new EvaluationOptions { Seed = 2 });
        var interval = first.EerInterval!.Value;
        Assert.That(again.EerInterval, Is.EqualTo(first.EerInterval));
        Assert.That(other.EerInterval, Is.Not.EqualTo(first.EerInterval));
        Assert.That(other.EerInterval!.Value.Low, Is.EqualTo(interval.Low).Within(0.02));
        Assert.That(first.Eer, Is.InRange(interval.Low, interval.High));
        Assert.That(first.BootstrapDraws, Is.EqualTo(1000));

        // Resampling trials as if they were independent gives a narrower interval: the reason for resampling speakers.
        var ranked = RankedTrials.Rank([.. first.Scores], [.. first.Labels]);
        var naive = new double[500];
        var weights = new int[trials.Count];
        for (int draw = 0; draw < naive.Length; draw++)
        {
            var random = new CounterRandom(1, RandomPurpose.Bootstrap, item: draw);
            Array.Clear(weights);
            for (int i = 0; i < weights.Length; i++)
            {
                weights[random.NextInt(weights.Length)]++;
            }

            naive[draw] = ranked.Weighted(weights, [], []);
        }

        var narrow = SpeakerBootstrap.Percentiles(naive, 0.95, out _)!.Value;
        Assert.That(interval.High - interval.Low, Is.GreaterThan(1.3 * (narrow.High - narrow.Low)));
    }

    [Test]
    public void A_system_does_not_differ_from_itself_and_differs_from_a_bad_one()
    {
        var (trials, table) = Voices(20, 4, 0.8f);
        float[] good = TrialEvaluation.Score(trials, table);
        float[] bad = Samples.Normal(3, good.Length);
        var same = SystemComparison.Run(trials, good, good);
        var worse = SystemComparison.Run(trials, good, bad);
        var seeds = SystemComparison.Run(trials, [bad, bad], [good, good, good]);
        Assert.Multiple(() =>
        {
            Assert.That((same.Difference, same.IsSignificant, same.Interval), Is.EqualTo((0.0, false, (Interval?)new Interval(0, 0))));
            Assert.That(worse.IsSignificant, Is.True);
            Assert.That(worse.Difference, Is.GreaterThan(0.1));
            Assert.That(worse.ShareSecondLower, Is.LessThan(0.01));
            Assert.That(seeds.Difference, Is.EqualTo(-worse.Difference).Within(1e-12));
            Assert.That(seeds.Interval!.Value.High, Is.EqualTo(-worse.Interval!.Value.Low).Within(1e-12));
        });
        Assert.That(() => SystemComparison.Run(trials, [], [good]), Throws.TypeOf<InvalidOptionException>());
    }

    [Test]
    public void Missing_embeddings_are_counted_and_named()
    {
        var table = new EmbeddingTable(["a/1"], [1f], 1);
        Trial[] trials = [new(true, "a/1", "a/2"), new(false, "b/1", "a/2")];
        Assert.That(() => TrialEvaluation.Run(trials, table), Throws.TypeOf<DataFormatException>().With.Message.StartsWith("2 utterances").And.Message.Contains("a/2, b/1"));
        Assert.That(() => TrialEvaluation.Run(trials, [1f]), Throws.TypeOf<ShapeException>());
        Assert.That(() => TrialEvaluation.Run([], table), Throws.TypeOf<DataFormatException>());
        Assert.That(() => TrialEvaluation.Run(trials, [1f, 0f], new EvaluationOptions { BootstrapDraws = -1 }), Throws.TypeOf<InvalidOptionException>());
    }

    [TestCase("eval/so0103/001030065.wav", "so0103", "so")]
    [TestCase("data/openvoices/eval/ar0003/a.wav", "ar0003", "ar")]
    [TestCase("id10270/x6uYqmx31kE/00001.wav", "id10270", "id")]
    [TestCase("test/12.wav", "test", "test")]
    [TestCase("12/a.wav", "12", "")]
    [TestCase("spk1-utt1", "spk1-utt1", "spk")]
    public void Speakers_and_groups_are_read_off_paths(string id, string speaker, string group) =>
        Assert.That((SpeakerFolders.Speaker(id), SpeakerFolders.Group(id)), Is.EqualTo((speaker, group)));

    [Test]
    public void Score_files_round_trip()
    {
        string path = Path.GetTempFileName();
        try
        {
            Trial[] trials = [new(true, "a/1.wav", "a/2.wav"), new(false, "a/1.wav", "b/1.wav")];
            float[] scores = [0.1f, -1f / 3];
            ScoreFile.Write(path, trials, scores);
            Assert.That(File.ReadLines(path).First(), Is.EqualTo("0.1 1 a/1.wav a/2.wav"));
            var (readTrials, readScores) = ScoreFile.Read(path);
            Assert.That(readTrials, Is.EqualTo(trials));
            Assert.That(readScores, Is.EqualTo(scores));
            File.AppendAllText(path, "0.5 yes a b\n");
            Assert.That(() => ScoreFile.Read(path), Throws.TypeOf<DataFormatException>().With.Message.Contains("line 3"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Speakers as random directions, utterances as noisy copies; half of the speakers in each of two groups.</summary>
    internal static (List<Trial> Trials, EmbeddingTable Table) Voices(int speakers, int utterances, float noise, int dimension = 16)
    {
        string[] ids = [.. from s in Enumerable.Range(0, speakers) from u in Enumerable.Range(0, utterances) select $"eval/{(s % 2 == 0 ? "so" : "ar")}{s:000}/{u}.wav"];
        var values = Samples.Normal(17, ids.Length * dimension, noise);
        var centres = Samples.Normal(18, speakers * dimension);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] += centres[(i / dimension / utterances * dimension) + (i % dimension)];
        }

        var trials = new List<Trial>();
        var random = new CounterRandom(9, RandomPurpose.Split);
        for (int i = 0; i < ids.Length; i++)
        {
            for (int j = i + 1; j < ids.Length; j++)
            {
                bool same = i / utterances == j / utterances;
                if (same || random.NextInt(speakers / 2) == 0)
                {
                    trials.Add(new Trial(same, ids[i], ids[j]));
                }
            }
        }

        return (trials, new EmbeddingTable(ids, values, dimension));
    }
}
