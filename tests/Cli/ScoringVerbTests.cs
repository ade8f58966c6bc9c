using NUnit.Framework;
using Spk.Cli;
using Spk.Engine.Audio;
using Spk.Engine.Scoring;
using Spk.Engine.Verification;
using Spk.Training.Evaluation;

namespace Spk.Tests.Cli;

/// <summary>Score normalization, profiles, all pairs and calibration on the command line.</summary>
public class ScoringVerbTests
{
    private static string Trials => Path.Combine(TinyRun.Voices, "trials.txt");

    [OneTimeSetUp]
    public void Embed()
    {
        foreach (string part in new[] { "eval", "train" })
        {
            var run = CommandLine.Run("embed", TinyRun.Run, "--manifest", $"{part}.csv", "--data", TinyRun.Voices, "--out", TinyRun.In($"norm-{part}.npy"));
            Assert.That(run.Code, Is.Zero, run.Error);
        }
    }

    [TestCase("as", "as-norm, 10 nearest of 16")]
    [TestCase("s", "s-norm, cohort of 16")]
    [TestCase("z", "z-norm, cohort of 16")]
    [TestCase("t", "t-norm, cohort of 16")]
    public void Eval_and_score_normalize_alike(string norm, string scoring)
    {
        string scores = TinyRun.In("norm-scores.txt");
        var scored = Score("--norm", norm, "--cohort", TinyRun.In("norm-train.npy"), "--top", "10", "--out", scores, "--json");
        var evaluated = CommandLine.Run(
            "eval", TinyRun.Run, "--trials", Trials, "--data", TinyRun.Voices, "--norm", norm, "--cohort", "train.csv", "--top", "10", "--device", "cpu", "--json");
        Assert.That(scored.Code, Is.Zero, scored.Error);
        Assert.That(evaluated.Code, Is.Zero, evaluated.Error);
        Assert.That(scored.Json.GetProperty("scoring").GetString(), Is.EqualTo(scoring));
        Assert.That(evaluated.Json.GetProperty("scoring").GetString(), Is.EqualTo(scoring));
        Assert.That(evaluated.Json.GetProperty("eer").GetDouble(), Is.EqualTo(scored.Json.GetProperty("eer").GetDouble()).Within(1e-9));
        Assert.That(scored.Json.GetProperty("frrAtFar").GetArrayLength(), Is.EqualTo(FalseRejection.Reported.Count));

        var (trials, got) = ScoreFile.Read(scores);
        var kind = norm == "as" ? ScoreNorm.AdaptiveS : Enum.Parse<ScoreNorm>(norm, ignoreCase: true);
        var normalizer = new ScoreNormalizer(EmbeddingTable.Load(TinyRun.In("norm-train.npy")), new ScoreNormOptions { Kind = kind, Top = 10 });
        var table = EmbeddingTable.Load(TinyRun.In("norm-eval.npy"));
        Assert.That(got, Is.EqualTo(TrialEvaluation.Score(trials, table, table, normalizer)).Within(1e-3));
    }

    [Test]
    public void A_cohort_of_speakers_is_centred_and_biased_on_request()
    {
        var run = Score("--norm", "as", "--cohort", TinyRun.In("norm-train.npy"), "--top", "3", "--cohort-by", "speaker", "--center", "--deviation", "biased", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("scoring").GetString(), Is.EqualTo("as-norm, 3 nearest of 4, biased deviation, centred"));
    }

    [Test]
    public void Profiles_of_several_utterances_are_means_of_unit_embeddings()
    {
        var table = EmbeddingTable.Load(TinyRun.In("norm-eval.npy"));
        string[] ids = [.. table.Ids.OrderBy(SpeakerFolders.Speaker)];
        string[][] speakers = [.. ids.GroupBy(SpeakerFolders.Speaker).Select(g => g.ToArray())];
        File.WriteAllLines(TinyRun.In("profiles.txt"), speakers.Select((s, i) => $"p{i} {s[0]} {s[1]}"));
        File.WriteAllLines(TinyRun.In("profile-trials.txt"), speakers.SelectMany((s, i) => speakers.Select((t, j) => $"{(i == j ? 1 : 0)} p{i} {t[2]}")));
        string scores = TinyRun.In("profile-scores.txt");
        var run = CommandLine.Run(
            "score", TinyRun.In("norm-eval.npy"), "--trials", TinyRun.In("profile-trials.txt"), "--profiles", TinyRun.In("profiles.txt"), "--out", scores, "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        var (trials, got) = ScoreFile.Read(scores);
        Assert.That(trials, Has.Count.EqualTo(9));
        for (int i = 0; i < trials.Count; i++)
        {
            int p = trials[i].Enrolment[1] - '0', test = table.IndexOf(trials[i].Test), a = table.IndexOf(speakers[p][0]), b = table.IndexOf(speakers[p][1]);
            double cosine = (table.Cosine(a, test) + table.Cosine(b, test)) / Math.Sqrt(2 + (2 * table.Cosine(a, b)));
            Assert.That(got[i], Is.EqualTo(cosine).Within(1e-6));
        }
    }

    [Test]
    public void All_pairs_are_every_pair_once()
    {
        string scores = TinyRun.In("pairs.txt");
        var run = CommandLine.Run("score", TinyRun.In("norm-eval.npy"), "--all-pairs", "--out", scores, "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That((run.Json.GetProperty("trials").GetInt32(), run.Json.GetProperty("targets").GetInt32()), Is.EqualTo((66, 18)));
        var manifest = CommandLine.Run("score", TinyRun.In("norm-eval.npy"), "--all-pairs", "--speakers", Path.Combine(TinyRun.Voices, "eval.csv"), "--json");
        Assert.That(manifest.Json.GetProperty("eer").GetDouble(), Is.EqualTo(run.Json.GetProperty("eer").GetDouble()), manifest.Error);
    }

    [Test]
    public void A_calibration_is_stored_applied_and_refused_for_other_scores_and_models()
    {
        string file = TinyRun.In("calibration.json"), matrix = TinyRun.In("norm-eval.npy");
        var made = CommandLine.Run("calibrate", matrix, "--all-pairs", "--model", TinyRun.Run, "--far", "0.25", "--out", file, "--json");
        Assert.That(made.Code, Is.Zero, made.Error);
        Assert.That(made.Json.GetProperty("far").GetDouble(), Is.LessThanOrEqualTo(0.25));
        Assert.That(made.Json.GetProperty("cllr").GetDouble(), Is.GreaterThanOrEqualTo(made.Json.GetProperty("minCllr").GetDouble()));
        Assert.That(made.Json.GetProperty("model").GetString(), Has.Length.EqualTo(64));

        var applied = CommandLine.Run("score", matrix, "--all-pairs", "--calibration", file, "--json").Json.GetProperty("calibration");
        Assert.That(applied.GetProperty("cllr").GetDouble(), Is.EqualTo(made.Json.GetProperty("cllr").GetDouble()).Within(1e-9));
        Assert.That(applied.GetProperty("far").GetDouble(), Is.EqualTo(made.Json.GetProperty("far").GetDouble()));
        Assert.That(CommandLine.Run("score", matrix, "--all-pairs", "--calibration", file).Output, Does.Contain("calibrated: Cllr"));
        Assert.That(CommandLine.Run("eval", TinyRun.Run, "--trials", Trials, "--data", TinyRun.Voices, "--calibration", file).Code, Is.Zero);

        Score("--norm", "z", "--cohort", TinyRun.In("norm-train.npy"), "--calibration", file).AssertRefused(ExitCode.Usage, "calibration.json", "cosine", "z-norm");
        (Calibration.Load(file) with { Model = new string('0', 64) }).Save(TinyRun.In("foreign.json"));
        CommandLine.Run("eval", TinyRun.Run, "--trials", Trials, "--data", TinyRun.Voices, "--calibration", TinyRun.In("foreign.json"))
            .AssertRefused(ExitCode.Usage, "another model");
    }

    [Test]
    public void A_calibration_of_normalized_scores_serves_a_verifier_with_its_cohort()
    {
        string folder = TinyRun.In("served"), matrix = TinyRun.In("norm-eval.npy"), model = Path.Combine(folder, "model.safetensors"), file = Path.Combine(folder, "calibration.json");
        Directory.CreateDirectory(folder);
        Assert.That(CommandLine.Run("export", TinyRun.Run, "--safetensors", model).Code, Is.Zero);
        string[] norm = ["--norm", "as", "--cohort", TinyRun.In("norm-train.npy"), "--cohort-by", "speaker", "--top", "3", "--center"];
        var made = CommandLine.Run(["calibrate", matrix, "--all-pairs", "--model", model, "--far", "0.25", "--out", file, "--json", .. norm]);
        Assert.That(made.Code, Is.Zero, made.Error);
        Assert.That(made.Json.GetProperty("cohortOut").GetString(), Is.EqualTo(Path.Combine(folder, "calibration.cohort.safetensors")));
        var applied = CommandLine.Run(["score", matrix, "--all-pairs", "--calibration", file, "--json", .. norm]);
        Assert.That(applied.Json.GetProperty("calibration").GetProperty("cllr").GetDouble(), Is.EqualTo(made.Json.GetProperty("cllr").GetDouble()).Within(1e-9), applied.Error);

        // The application scores a pair of recordings as the command line does.
        string scores = TinyRun.In("served-scores.txt");
        Assert.That(CommandLine.Run(["score", matrix, "--trials", Trials, "--out", scores, .. norm]).Code, Is.Zero);
        var (trials, want) = ScoreFile.Read(scores);
        using var verifier = SpeakerVerifier.Open(model, null, new VerifierOptions { Device = "cpu", Contexts = 1 });
        Assert.That(verifier.Calibration!.Scoring, Is.EqualTo("as-norm, 3 nearest of 4, centred"));
        for (int i = 0; i < 4; i++)
        {
            verifier.Enroll("claimed", [Read(trials[i].Enrolment)]);
            var answer = verifier.Verify("claimed", Read(trials[i].Test).Span);
            Assert.That(answer.Score, Is.EqualTo(want[i]).Within(1e-2));
            Assert.That(answer.LogLikelihoodRatio, Is.EqualTo(verifier.Calibration.LogLikelihoodRatio(answer.Score)).Within(1e-9));
            Assert.That(answer.Threshold, Is.EqualTo(made.Json.GetProperty("threshold").GetDouble()));
        }

        static ReadOnlyMemory<float> Read(string id) => WavFile.Read(Path.Combine(TinyRun.Voices, id)).Samples;
    }

    [TestCase("--norm as", "--cohort")]
    [TestCase("--center", "--cohort")]
    [TestCase("--norm best --cohort x.npy", "none, z, t, s or as")]
    [TestCase("--cohort x.npy", "--norm")]
    [TestCase("--all-pairs", "not both")]
    [TestCase("--top many", "--top takes a whole number")]
    public void Options_that_do_not_go_together_are_one_sentence(string more, string word) =>
        Score(more.Split(' ')).AssertRefused(ExitCode.Usage, word);

    [Test]
    public void Bad_files_are_one_sentence()
    {
        string matrix = TinyRun.In("norm-train.npy");
        Score("--norm", "as", "--cohort", matrix).AssertRefused(ExitCode.Usage, "300 nearest of a cohort of 16", "2 to 16");
        Score("--norm", "as", "--cohort", TinyRun.In("absent.npy")).AssertRefused(ExitCode.Failure, "absent.npy");
        Engine.Models.NpyFile.Write(TinyRun.In("narrow.npy"), new float[] { 1, 2, 3, 4 }, 2, 2);
        File.WriteAllText(TinyRun.In("narrow.ids.txt"), "a\nb\n");
        Score("--norm", "s", "--cohort", TinyRun.In("narrow.npy")).AssertRefused(ExitCode.Failure, "size 16", "size 2");
        File.WriteAllText(TinyRun.In("empty-profile.txt"), "alice\n");
        Score("--profiles", TinyRun.In("empty-profile.txt")).AssertRefused(ExitCode.Failure, "line 1", "alice");
        Score("--calibration", TinyRun.Recipe).AssertRefused(ExitCode.Failure, "tiny.yaml");
        CommandLine.Run("calibrate", matrix, "--all-pairs", "--far", "0.0001", "--out", TinyRun.In("c.json")).AssertRefused(ExitCode.Usage, "0.0001");
        CommandLine.Run("calibrate", matrix, "--all-pairs", "--far", "0.1", "--prior", "0.1", "--out", TinyRun.In("c.json")).AssertRefused(ExitCode.Usage, "--far", "--prior");
        CommandLine.Run("calibrate", matrix, "--all-pairs", "--model", "nowhere", "--out", TinyRun.In("c.json")).AssertRefused(ExitCode.Failure, "nowhere");
    }

    private static CommandLine Score(params string[] more) =>
        CommandLine.Run(["score", TinyRun.In("norm-eval.npy"), "--trials", Trials, "--device", "cpu", .. more]);
}
