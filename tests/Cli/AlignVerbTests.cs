using NUnit.Framework;
using Spk.Cli;
using Spk.Engine.Alignment;
using Spk.Engine.Scoring;

namespace Spk.Tests.Cli;

/// <summary>Alignment of two models on the command line.</summary>
public class AlignVerbTests
{
    private static string Trials => Path.Combine(TinyRun.Voices, "trials.txt");

    private static string New => TinyRun.In("align-new");

    private static string Shared => TinyRun.In("align-shared.safetensors");

    [OneTimeSetUp]
    public void Make()
    {
        var run = TinyRun.Pretrain(New, "--set", "encoder.width=8", "encoder.embeddingSize=12", "training.epochs=1");
        Assert.That(run.Code, Is.Zero, run.Error);
        foreach (string model in new[] { "old", "new" })
        {
            foreach (string part in new[] { "train", "eval" })
            {
                var embedded = CommandLine.Run(
                    "embed", model == "old" ? TinyRun.Run : New, "--manifest", $"{part}.csv", "--data", TinyRun.Voices, "--out", Stored(model, part), "--device", "cpu");
                Assert.That(embedded.Code, Is.Zero, embedded.Error);
            }
        }

        var trained = Train(Shared, "--json");
        Assert.That(trained.Code, Is.Zero, trained.Error);
        Assert.That(trained.Json.GetProperty("speakers").GetInt32(), Is.EqualTo(4));
        Assert.That(trained.Json.GetProperty("epochs").GetArrayLength(), Is.EqualTo(3));
    }

    [TestCase("to-enrolment", AlignmentVariant.ToEnrolment, 16)]
    [TestCase("to-runtime", AlignmentVariant.ToRuntime, 12)]
    [TestCase("procrustes", AlignmentVariant.Procrustes, 16)]
    [TestCase("logits", AlignmentVariant.SpeakerLogits, 4)]
    public void Every_variant_can_be_trained(string word, AlignmentVariant variant, int size)
    {
        string path = TinyRun.In($"align-{word}.safetensors");
        var run = Train(path, "--variant", word);
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Output, Does.Contain($"{word}, learnt from 16 utterances of 4 speakers"));
        var aligner = Aligner.Load(path);
        Assert.That((aligner.Variant, aligner.SharedSize, aligner.Enrolment.EmbeddingSize, aligner.Runtime.EmbeddingSize), Is.EqualTo((variant, size, 16, 12)));
    }

    [Test]
    public void Audio_and_stored_embeddings_give_the_same_aligner()
    {
        string path = TinyRun.In("align-audio.safetensors");
        var run = CommandLine.Run(
            "align", "train", TinyRun.Run, New, "--manifest", "train.csv", "--data", TinyRun.Voices, "--out", path, "--variant", "procrustes", "--device", "cpu");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(Train(TinyRun.In("align-stored.safetensors"), "--variant", "procrustes").Code, Is.Zero);
        float[] x = EmbeddingTable.Load(Stored("new", "eval")).Row(0).ToArray();
        Assert.That(Aligner.Load(path).MapRuntime(x), Is.EqualTo(Aligner.Load(TinyRun.In("align-stored.safetensors")).MapRuntime(x)).Within(1e-4));
    }

    [Test]
    public void Applied_it_maps_stored_embeddings()
    {
        string path = TinyRun.In("mapped.npy");
        var run = CommandLine.Run("align", "apply", Shared, "--enrolment", Stored("old", "eval"), "--out", path, "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That((run.Json.GetProperty("utterances").GetInt32(), run.Json.GetProperty("dimension").GetInt32()), Is.EqualTo((12, 12)));
        var (table, mapped) = (EmbeddingTable.Load(Stored("old", "eval")), EmbeddingTable.Load(path));
        Assert.That(mapped.Row(5).ToArray(), Is.EqualTo(Aligner.Load(Shared).MapEnrolment(table.Row(5))).Within(1e-6));
        CommandLine.Run("align", "apply", Shared, "--runtime", Stored("old", "eval"), "--out", path).AssertRefused(ExitCode.Failure, "size 16", "size 12");
    }

    [Test]
    public void Evaluated_it_shows_every_combination_and_leaves_a_page_and_a_calibration()
    {
        string folder = TinyRun.In("align-report"), calibration = TinyRun.In("align-calibration.json");
        var run = Evaluate("--aligner", Shared, "--out", folder, "--calibration", calibration, "--far", "0.6", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        var systems = run.Json.GetProperty("systems");
        Assert.That(systems.GetArrayLength(), Is.EqualTo(4));
        Assert.That(systems[2].GetProperty("aligner").GetString(), Is.EqualTo("align-shared"));
        Assert.That(systems[2].GetProperty("enrolment").GetString() + systems[2].GetProperty("runtime").GetString(), Is.EqualTo("oldnew"));
        var old = CommandLine.Run("eval", TinyRun.Run, "--trials", Trials, "--data", TinyRun.Voices, "--device", "cpu", "--json");
        Assert.That(systems[0].GetProperty("eer").GetDouble(), Is.EqualTo(old.Json.GetProperty("eer").GetDouble()).Within(1e-6));
        string page = File.ReadAllText(run.Json.GetProperty("html").GetString()!);
        Assert.That(page, Does.Contain("Recovered gain").And.Contain("Detection error trade-offs").And.Not.Contain("<script"));
        Assert.That(File.Exists(Path.Combine(folder, "alignment.json")));
        var learnt = Calibration.Load(calibration);
        Assert.That((learnt.Scoring, learnt.Model), Is.EqualTo((Aligner.Load(Shared).Scoring, Aligner.Load(Shared).Runtime.Identity)));
        Assert.That(Evaluate("--aligner", Shared).Output, Does.Contain("old enrolment, new runtime").And.Contain("recovered gain"));
    }

    [Test]
    public void Profiles_of_several_utterances_can_be_enrolled()
    {
        var table = EmbeddingTable.Load(Stored("old", "eval"));
        string[][] speakers = [.. table.Ids.GroupBy(id => id.Split('/')[1]).Select(g => g.ToArray())];
        File.WriteAllLines(TinyRun.In("align-profiles.txt"), speakers.Select((s, i) => $"p{i} {s[0]} {s[1]}"));
        File.WriteAllLines(TinyRun.In("align-trials.txt"), speakers.SelectMany((s, i) => speakers.Select((t, j) => $"{(i == j ? 1 : 0)} p{i} {t[2]}")));
        var run = CommandLine.Run(
            "align", "eval", TinyRun.Run, New, "--aligner", Shared, "--trials", TinyRun.In("align-trials.txt"), "--profiles", TinyRun.In("align-profiles.txt"), "--data", TinyRun.Voices,
            "--device", "cpu", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("systems")[2].GetProperty("trials").GetInt32(), Is.EqualTo(9));
        Assert.That(run.Json.GetProperty("systems")[2].GetProperty("speakers").GetInt32(), Is.EqualTo(3), "a profile is of the speaker of its utterances");
    }

    [TestCase("train {old} {new} --manifest {train} --out {out} --variant sideways", "--variant takes shared, to-enrolment")]
    [TestCase("train {old} {new} --manifest {train} --out {out} {stored} --epochs 0", "epochs = 0")]
    [TestCase("train {old} {new} --manifest {train} --out {out} {stored} --held-back 0.5 --far 0.05", "too few", "hold back more")]
    [TestCase("train {old} {new} --out {out}", "--manifest")]
    [TestCase("apply {aligner} --out x.npy", "--enrolment FILE or --runtime FILE")]
    [TestCase("apply {aligner} --runtime y.npy --out x.csv", ".npy or .ark")]
    [TestCase("eval {old} {new} --trials {trials}", "--aligner")]
    [TestCase("eval {old} {new} --trials {trials} --aligner {aligner} {aligner} --calibration c.json", "one --aligner")]
    [TestCase("eval {old} {new} --trials {trials} --aligner {aligner} {aligner}", "two files called 'align-shared'")]
    public void Wrong_usage_is_one_sentence(string line, params string[] words) => CommandLine.Run(Words(line)).AssertRefused(ExitCode.Usage, words);

    [TestCase("train {old} {new} --manifest {train} --out {out} --old-embeddings {old-train} --new-embeddings {new-eval}", "no utterance in common")]
    [TestCase("train {old} {new} --manifest {train} --out {out} --old-embeddings {new-eval} --new-embeddings {new-eval}", "size 12", "size 16")]
    [TestCase("train {old} nowhere --manifest {train} --out {out} {stored}", "nowhere")]
    [TestCase("train {old} {new} --manifest {unlabelled} --out {out} {stored}", "no speaker")]
    [TestCase("apply {trials} --runtime {new-eval} --out {out}.npy", "trials.txt")]
    [TestCase("apply {model} --runtime {new-eval} --out {out}.npy", "no aligner")]
    [TestCase("eval {new} {old} --trials {trials} --data {voices} --aligner {aligner}", "another enrolment model")]
    [TestCase("eval {old} {new} --trials {trials} --data nowhere --aligner {aligner}", "does not exist", "--data")]
    public void Bad_input_is_one_sentence(string line, params string[] words) => CommandLine.Run(Words(line)).AssertRefused(ExitCode.Failure, words);

    private static string[] Words(string line)
    {
        string unlabelled = TinyRun.In("unlabelled.csv");
        File.WriteAllLines(unlabelled, File.ReadLines(Path.Combine(TinyRun.Voices, "train.csv")).Select((l, i) => i == 2 ? l.Split(',')[0] + ",,," : l));
        var places = new Dictionary<string, string>
        {
            ["{stored}"] = $"--old-embeddings {Stored("old", "train")} --new-embeddings {Stored("new", "train")}",
            ["{old}"] = TinyRun.Run,
            ["{new}"] = New,
            ["{train}"] = Path.Combine(TinyRun.Voices, "train.csv"),
            ["{unlabelled}"] = unlabelled,
            ["{out}"] = TinyRun.In("align-refused"),
            ["{aligner}"] = Shared,
            ["{model}"] = Path.Combine(TinyRun.Run, "checkpoints", "latest.safetensors"),
            ["{trials}"] = Trials,
            ["{voices}"] = TinyRun.Voices,
            ["{new-eval}"] = Stored("new", "eval"),
            ["{old-train}"] = Stored("old", "train"),
        };
        foreach (var (name, value) in places)
        {
            line = line.Replace(name, value, StringComparison.Ordinal);
        }

        return ["align", .. line.Split(' '), "--device", "cpu"];
    }

    private static string Stored(string model, string part) => TinyRun.In($"align-{model}-{part}.npy");

    private static CommandLine Train(string path, params string[] more) => CommandLine.Run(
    [
        "align", "train", TinyRun.Run, New, "--manifest", Path.Combine(TinyRun.Voices, "train.csv"), "--old-embeddings", Stored("old", "train"), "--new-embeddings", Stored("new", "train"),
        "--held-back", "0", "--epochs", "2", "--hidden", "16", "--device", "cpu", "--out", path, .. more,
    ]);

    private static CommandLine Evaluate(params string[] more) =>
        CommandLine.Run(["align", "eval", TinyRun.Run, New, "--trials", Trials, "--data", TinyRun.Voices, "--device", "cpu", .. more]);
}
