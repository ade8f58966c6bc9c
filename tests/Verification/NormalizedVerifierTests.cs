using NUnit.Framework;
using Spk.Engine.Scoring;
using Spk.Engine.Verification;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Verification;

/// <summary>A verifier with a cohort, against the formula of the normalization written out in f64.</summary>
public class NormalizedVerifierTests
{
    private TemporaryFolder _folder = null!;
    private string _model = "";

    [OneTimeSetUp]
    public void Make()
    {
        _folder = new TemporaryFolder();
        _model = TinyModel.Save(_folder.At("model.safetensors"));
    }

    [OneTimeTearDown]
    public void Remove() => _folder.Dispose();

    [Test]
    public void Scores_ratios_and_ranks_are_those_of_the_formula([Values] ScoreNorm kind, [Values] bool center)
    {
        var options = new ScoreNormOptions { Kind = kind, Top = 8, Unbiased = !center };
        var cohort = new ScoreCohort(TinyModel.Table(40), options, center);
        var line = new Calibration { Scale = 2, Offset = -3, Threshold = 1.5, Scoring = cohort.Scoring, Cohort = cohort.Identity };
        using var verifier = SpeakerVerifier.Open(_model, null, new VerifierOptions { Device = "cpu", Contexts = 1, Cohort = cohort, Calibration = line });
        for (int speaker = 0; speaker < 6; speaker++)
        {
            verifier.Enroll($"s{speaker}", [TinyModel.Voice(speaker, 1)]);
        }

        for (int speaker = 0; speaker < 6; speaker++)
        {
            float[] wave = TinyModel.Voice(speaker, 2);
            var matches = verifier.Identify(wave, 6);
            Assert.That(matches.Select(m => m.Score), Is.Ordered.Descending);
            foreach (var match in matches)
            {
                double want = Formula(verifier.Profiles.Find(match.Id)!.Embedding.ToArray(), verifier.Embed(wave), options, center);
                Assert.That(match.Score, Is.EqualTo(want).Within(2e-3), match.Id);
                var answer = verifier.Verify(match.Id, wave);
                Assert.That(answer.Score, Is.EqualTo(want).Within(2e-3), match.Id);
                Assert.That(answer.LogLikelihoodRatio, Is.EqualTo((2 * answer.Score) - 3).Within(1e-5));
                Assert.That(answer.Accepted, Is.EqualTo(answer.Score >= 1.5));
            }
        }

        // What was measured of a profile goes when the profile does.
        verifier.Enroll("s1", [TinyModel.Voice(9)]);
        verifier.Profiles.Remove("s0");
        float[] test = TinyModel.Voice(9, 3);
        var after = verifier.Identify(test, 9);
        Assert.That(after, Has.Count.EqualTo(5));
        foreach (var match in after)
        {
            Assert.That(match.Score, Is.EqualTo(Formula(verifier.Profiles.Find(match.Id)!.Embedding.ToArray(), verifier.Embed(test), options, center)).Within(2e-3), match.Id);
        }
    }

    [Test]
    public void Many_profiles_are_measured_together_to_the_same_scores()
    {
        var cohort = new ScoreCohort(TinyModel.Table(40), new ScoreNormOptions { Top = 8 });
        using var verifier = SpeakerVerifier.Open(_model, null, new VerifierOptions { Device = "cpu", Contexts = 1, Cohort = cohort });
        var table = TinyModel.Table(10_000, seed: 4);
        for (int i = 0; i < table.Count; i++)
        {
            verifier.Profiles.Put(new Profile(table.Ids[i], table.Row(i).ToArray(), 1));
        }

        float[] wave = TinyModel.Voice(1), test = verifier.Embed(wave);
        var matches = verifier.Identify(wave, 10_000);
        Assert.That(matches, Has.Count.EqualTo(10_000));
        foreach (var match in matches.Take(20))
        {
            Assert.That(match.Score, Is.EqualTo(cohort.Score(table.Row(table.IndexOf(match.Id)), test)).Within(2e-3));
        }
    }

    [Test]
    public void One_embedding_has_the_statistics_of_its_cosines()
    {
        // Cosines 0.1, 0.3, 0.5 and 0.7: the two nearest have the mean 0.6 and the deviation √0.02 (n − 1) or 0.1 (n).
        float[] cosines = [0.1f, 0.7f, 0.3f, 0.5f];
        var cohort = new EmbeddingTable(["a", "b", "c", "d"], [.. cosines.SelectMany(c => new[] { c, MathF.Sqrt(1 - (c * c)) })], 2);
        Expect(new ScoreNormOptions { Top = 2 }, 0.6, Math.Sqrt(0.02));
        Expect(new ScoreNormOptions { Top = 2, Unbiased = false }, 0.6, 0.1);
        Expect(new ScoreNormOptions { Kind = ScoreNorm.Z }, 0.4, Math.Sqrt(0.2 / 3));
        Assert.That(() => new ScoreNormalizer(cohort, new ScoreNormOptions { Top = 2 }).Measure([0f, 0f]), Throws.TypeOf<DataFormatException>());
        Assert.That(() => new ScoreNormalizer(cohort, new ScoreNormOptions { Top = 2 }).Measure([1f]), Throws.TypeOf<ShapeException>());

        // Equal embeddings: their cosine, 1, lies (1 − 0.6) / √0.02 above the cohort on either side.
        Assert.That(
            new ScoreCohort(cohort, new ScoreNormOptions { Top = 2 }).Score([1, 0], [1, 0]), Is.EqualTo(0.4 / Math.Sqrt(0.02)).Within(1e-5));

        void Expect(ScoreNormOptions options, double mean, double deviation)
        {
            var got = new ScoreNormalizer(cohort, options).Measure([1f, 0f]);
            Assert.That(got.Mean, Is.EqualTo(mean).Within(1e-6));
            Assert.That(got.Deviation, Is.EqualTo(deviation).Within(1e-6));
        }
    }

    [Test]
    public void A_file_gives_the_cohort_back_and_other_files_are_refused()
    {
        var cohort = new ScoreCohort(TinyModel.Table(40), new ScoreNormOptions { Kind = ScoreNorm.S, Top = 7, Unbiased = false }, center: true, model: "ab");
        string path = _folder.At("cohort.safetensors");
        cohort.Save(path);
        var read = ScoreCohort.Load(path);
        Assert.That((read.Identity, read.Scoring, read.Model, read.Count, read.Dimension), Is.EqualTo((cohort.Identity, cohort.Scoring, "ab", 40, TinyModel.Size)));
        Assert.That(read.Options, Is.EqualTo(cohort.Options));
        Assert.That(new ScoreCohort(TinyModel.Table(40), cohort.Options, center: false, model: "ab").Identity, Is.Not.EqualTo(cohort.Identity));
        Assert.That(() => ScoreCohort.Load(_model), Throws.TypeOf<DataFormatException>().With.Message.Contains("no cohort"));
        Assert.That(() => ScoreCohort.Load(_folder.At("absent")), Throws.TypeOf<DataFormatException>().With.Message.Contains("absent"));
    }

    private static double Formula(float[] enrolment, float[] test, ScoreNormOptions options, bool center)
    {
        var table = TinyModel.Table(40);
        double[][] members = [.. Enumerable.Range(0, table.Count).Select(i => table.Row(i).ToArray().Select(v => (double)v).ToArray())];
        double[] mean = [.. Enumerable.Range(0, TinyModel.Size).Select(d => center ? members.Average(m => m[d]) : 0)];
        double[][] centred = [.. members.Select(Unit)];
        double[] e = Unit([.. enrolment.Select(v => (double)v)]), t = Unit([.. test.Select(v => (double)v)]);
        double score = Dot(e, t), z = Standard(e), other = Standard(t);
        return options.Kind switch { ScoreNorm.Z => z, ScoreNorm.T => other, _ => (z + other) / 2 };

        double Standard(double[] side)
        {
            double[] all = [.. centred.Select(m => Dot(m, side)).OrderDescending().Take(options.Kind == ScoreNorm.AdaptiveS ? options.Top : centred.Length)];
            double average = all.Average();
            return (score - average) / Math.Sqrt(all.Sum(c => (c - average) * (c - average)) / (all.Length - (options.Unbiased ? 1 : 0)));
        }

        double[] Unit(double[] v)
        {
            double[] less = [.. v.Zip(mean, (a, b) => a - b)];
            double length = Math.Sqrt(Dot(less, less));
            return [.. less.Select(value => value / length)];
        }
    }

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
