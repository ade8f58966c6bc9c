using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Tests.Scoring;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class ScoreNormalizerTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "score_norm" } })]
    public void Golden_matrices_are_met(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        EmbeddingTable enrol = Table(g, "enrol"), test = Table(g, "test"), cohort = Table(g, "cohort");
        using var device = on.Open();
        foreach (var (output, kind) in new (string, ScoreNorm?)[]
        {
            ("raw", null), ("z_norm", ScoreNorm.Z), ("t_norm", ScoreNorm.T), ("s_norm", ScoreNorm.S), ("as_norm", ScoreNorm.AdaptiveS),
        })
        {
            var trials = from e in enrol.Ids from t in test.Ids select new Trial(false, e, t);
            var normalizer = kind is { } k ? new ScoreNormalizer(cohort, new ScoreNormOptions { Kind = k, Top = g.Integer("top_k") }) : null;
            g.AssertOutput(output, TrialEvaluation.Score([.. trials], enrol, test, normalizer, device));
        }

        var adaptive = new ScoreNormalizer(cohort, new ScoreNormOptions { Top = g.Integer("top_k") });
        foreach (var (side, table) in new[] { ("enrol", enrol), ("test", test) })
        {
            var statistics = adaptive.Measure(table, device);
            g.AssertOutput($"{side}_topk_mean", [.. statistics.Select(s => s.Mean)], "f32");
            g.AssertOutput($"{side}_topk_std", [.. statistics.Select(s => s.Deviation)], "f32");
        }
    }

    [TestCase(ScoreNorm.S, true, 37, 3, 5)]
    [TestCase(ScoreNorm.S, false, 300, 31, 33)]
    [TestCase(ScoreNorm.AdaptiveS, true, 37, 1, 5)]
    [TestCase(ScoreNorm.AdaptiveS, false, 300, 65, 33)]
    public void Statistics_are_those_of_all_cosines_in_f64(ScoreNorm kind, bool unbiased, int cohort, int rows, int size)
    {
        // An offset, as real embeddings have: their mean is far from zero.
        var members = Table("c", cohort, size, seed: 3);
        var embeddings = Table("e", rows, size, seed: 4);
        using var device = on.Open();
        var options = new ScoreNormOptions { Kind = kind, Top = 20, Unbiased = unbiased };
        var got = new ScoreNormalizer(members, options).Measure(embeddings, device);
        for (int row = 0; row < rows; row++)
        {
            double[] all = [.. Enumerable.Range(0, cohort).Select(c => Dot(embeddings.Row(row), members.Row(c)))];
            double[] taken = kind == ScoreNorm.AdaptiveS ? [.. all.OrderDescending().Take(20)] : all;
            double mean = taken.Average(), deviation = Math.Sqrt(taken.Sum(s => (s - mean) * (s - mean)) / (taken.Length - (unbiased ? 1 : 0)));
            Assert.That(got[row].Mean, Is.EqualTo(mean).Within(Tolerance.Reduction(size)));
            Assert.That(got[row].Deviation, Is.EqualTo(deviation).Within(4 * Tolerance.Reduction(size)), $"row {row}");
        }
    }

    [Test]
    public void Two_runs_give_the_same_bits()
    {
        using var device = on.Open();
        var normalizer = new ScoreNormalizer(Table("c", 90, 17, 5), new ScoreNormOptions { Top = 30 });
        var embeddings = Table("e", 40, 17, 6);
        var first = normalizer.Measure(embeddings, device);
        Assert.That(normalizer.Measure(embeddings, device), Is.EqualTo(first));
    }

    [Test]
    public void A_zero_vector_is_named()
    {
        using var device = on.Open();
        var table = new EmbeddingTable(["good", "empty"], [1, 2, 0, 0], 2);
        foreach (var kind in new[] { ScoreNorm.Z, ScoreNorm.AdaptiveS })
        {
            var normalizer = new ScoreNormalizer(Table("c", 10, 2, 1), new ScoreNormOptions { Kind = kind, Top = 5 });
            Assert.That(() => normalizer.Measure(table, device), Throws.TypeOf<DataFormatException>().With.Message.Contains("'empty'"));
        }
    }

    private static EmbeddingTable Table(GoldenCase g, string input)
    {
        var array = g.Input(input);
        return new EmbeddingTable([.. Enumerable.Range(0, array.Shape[0]).Select(i => $"{input}{i}")], array.ToSingle(), array.Shape[1]);
    }

    private static EmbeddingTable Table(string name, int rows, int size, int seed)
    {
        float[] values = Samples.Normal(seed, rows * size);
        for (int i = 0; i < values.Length; i++)
        {
            values[i] += i % size == 0 ? 2 : 0;
        }

        return new EmbeddingTable([.. Enumerable.Range(0, rows).Select(i => $"{name}{i}")], values, size);
    }

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        double sum = 0;
        for (int i = 0; i < a.Length; i++)
        {
            sum += (double)a[i] * b[i];
        }

        return sum;
    }
}

/// <summary>What does not depend on the device.</summary>
public class ScoreNormOptionsTests
{
    private static readonly EmbeddingTable Cohort = new(["a", "b", "c"], [1, 0, 0, 1, 1, 1], 2);

    [Test]
    public void Wrong_cohorts_and_options_are_refused()
    {
        Assert.Multiple(() =>
        {
            Assert.That(() => new ScoreNormalizer(Cohort), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("300 nearest of a cohort of 3").And.Message.Contains("2 to 3"));
            Assert.That(() => new ScoreNormalizer(Cohort, new ScoreNormOptions { Top = 1 }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => new ScoreNormalizer(Cohort, new ScoreNormOptions { Kind = (ScoreNorm)9 }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => new ScoreNormalizer(Cohort.Select(["a"]), new ScoreNormOptions { Kind = ScoreNorm.S }), Throws.TypeOf<DataFormatException>());
            Assert.That(
                () => new ScoreNormalizer(new EmbeddingTable(["a", "b"], [1, 0, 0, 0], 2), new ScoreNormOptions { Kind = ScoreNorm.S }),
                Throws.TypeOf<DataFormatException>().With.Message.Contains("zero vectors"));
            Assert.That(
                () => new ScoreNormalizer(Cohort, new ScoreNormOptions { Top = 2 }).Measure(new EmbeddingTable(["x"], [1, 2, 3], 3)),
                Throws.TypeOf<ShapeException>());
        });
    }

    [Test]
    public void A_cancelled_measurement_ends()
    {
        using var stopped = new CancellationTokenSource();
        stopped.Cancel();
        var normalizer = new ScoreNormalizer(Cohort, new ScoreNormOptions { Top = 2 });
        using var device = new CpuDevice(1);
        Assert.That(() => normalizer.Measure(Cohort, device, stopped.Token), Throws.InstanceOf<OperationCanceledException>());
    }

    [Test]
    public void Settings_say_what_they_are()
    {
        Assert.Multiple(() =>
        {
            Assert.That(new ScoreNormOptions().Describe(6000), Is.EqualTo("as-norm, 300 nearest of 6000"));
            Assert.That(new ScoreNormOptions { Kind = ScoreNorm.Z, Unbiased = false }.Describe(9), Is.EqualTo("z-norm, cohort of 9, biased deviation"));
        });
    }
}
