using System.Text.Json;
using NUnit.Framework;
using Spk.Cli;
using Spk.Cli.Terminal;
using Spk.Engine.Models;

namespace Spk.Tests.Cli;

/// <summary>Every verb on a tiny corpus: what it prints, writes and returns.</summary>
public class VerbTests
{
    private static string Trials => Path.Combine(TinyRun.Voices, "trials.txt");

    [Test]
    public void Check_reports_sizes_of_a_sound_corpus()
    {
        var run = CommandLine.Run("data", "check", "train.csv", "--data", TinyRun.Voices, "--eval", "eval.csv", "--trials", "trials.txt", "--json");
        Assert.That(run.Code, Is.Zero, run.Error + run.Output);
        Assert.That(run.Json.GetProperty("ok").GetBoolean(), Is.True);
        Assert.That(run.Json.GetProperty("manifests")[0].GetProperty("utterances").GetInt32(), Is.EqualTo(16));
    }

    [Test]
    public void Check_names_every_problem_at_once_and_exits_with_3()
    {
        string folder = Directory.CreateDirectory(TinyRun.In("bad")).FullName;
        File.WriteAllText(Path.Combine(folder, "empty.wav"), "");
        File.WriteAllText(Path.Combine(folder, "text.wav"), "this is no audio at all, whatever its name says");
        File.WriteAllText(Path.Combine(folder, "list.csv"), "path,speaker\nempty.wav,a\ntext.wav,b\nabsent.wav,c\n");
        var run = CommandLine.Run("data", "check", Path.Combine(folder, "list.csv"), "--data", folder, "--json");
        Assert.That(run.Code, Is.EqualTo(ExitCode.DataProblems));
        string[] subjects = [.. run.Json.GetProperty("problems").EnumerateArray().Select(p => p.GetProperty("subject").GetString()!)];
        Assert.That(subjects, Is.SupersetOf(new[] { "empty.wav", "text.wav", "absent.wav" }));

        var text = CommandLine.Run("data", "check", Path.Combine(folder, "list.csv"), "--data", folder);
        Assert.That(text.Output, Does.Contain("empty.wav").And.Contain("absent.wav").And.Contain("Problems found."));
    }

    [Test]
    public void Pack_is_inspected_and_trained_from()
    {
        string pack = TinyRun.In("train.spkpack");
        var packed = CommandLine.Run("data", "pack", "train.csv", "--data", TinyRun.Voices, "--out", pack, "--json");
        Assert.That(packed.Json.GetProperty("utterances").GetInt32(), Is.EqualTo(16), packed.Error);

        var inspected = CommandLine.Run("inspect", pack, "--json");
        Assert.That(inspected.Json.GetProperty("kind").GetString(), Is.EqualTo("pack"));
        Assert.That(inspected.Json.GetProperty("damaged").GetArrayLength(), Is.Zero);

        var trained = TinyRun.Pretrain(TinyRun.In("from-pack"), "--set", $"data.pack={pack}", "--json");
        Assert.That(trained.Code, Is.Zero, trained.Error);
        Assert.That(File.ReadAllBytes(Latest(TinyRun.In("from-pack"))).Length, Is.EqualTo(File.ReadAllBytes(Latest(TinyRun.Run)).Length).Within(256));
    }

    [Test]
    public void Synth_writes_the_layout_of_a_corpus()
    {
        string folder = TinyRun.In("synth");
        var run = CommandLine.Run("data", "synth", "--out", folder, "--speakers", "2", "--eval-speakers", "2", "--utterances", "2", "--sessions", "1", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("utterances").GetInt32(), Is.EqualTo(8));
        Assert.That(new[] { "train.csv", "eval.csv", "trials.txt" }.Select(f => File.Exists(Path.Combine(folder, f))), Is.All.True);
    }

    [Test]
    public void Pretrain_leaves_a_run_folder_and_one_json_object()
    {
        string folder = TinyRun.In("json-run");
        var run = TinyRun.Pretrain(folder, "--seed", "5", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.Multiple(() =>
        {
            Assert.That(run.Json.GetProperty("end").GetString(), Is.EqualTo("completed"));
            Assert.That(run.Json.GetProperty("steps").GetInt32(), Is.EqualTo(4));
            Assert.That(run.Error, Does.Contain("epoch 2/2"));
            Assert.That(File.ReadAllText(Path.Combine(folder, "recipe.yaml")), Does.Contain("seed: 5"));
            Assert.That(File.ReadLines(Path.Combine(folder, "log.jsonl")).Count(line => line.Contains("\"kind\":\"step\"", StringComparison.Ordinal)), Is.EqualTo(4));
            Assert.That(File.Exists(Latest(folder)), Is.True);
        });
    }

    [Test]
    public void Quiet_prints_results_only()
    {
        var run = TinyRun.Pretrain(TinyRun.In("quiet"), "--quiet");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries).Where(line => !line.StartsWith("warning: ", StringComparison.Ordinal)), Is.Empty);
        Assert.That(run.Output, Does.Contain("done: 4 steps"));
    }

    [Test]
    public void Pretrain_does_not_touch_a_run_that_is_there()
    {
        TinyRun.Pretrain(TinyRun.Run).AssertRefused(ExitCode.Usage, "--resume", "--restart");
        var ended = TinyRun.Pretrain(TinyRun.Run, "--resume");
        Assert.That(ended.Code, Is.Zero);
        Assert.That(ended.Output, Does.Contain("all of them made before").And.Not.Contain("NaN"));
    }

    [Test]
    public void Interrupted_training_says_how_to_go_on_and_resumes_to_the_same_bytes()
    {
        string straight = TinyRun.In("straight"), stopped = TinyRun.In("stopped");
        Assert.That(TinyRun.Pretrain(straight).Code, Is.Zero);
        Assert.That(TinyRun.Pretrain(stopped, "--set", "training.maximumSteps=3").Code, Is.Zero);

        using (var interruption = new Interruption())
        {
            // The signal arrives as soon as the run is being reported: training ends with a checkpoint after the present step.
            using var error = new RaiseOn("run folder", interruption, ExitCode.Terminated);
            using var output = new StringWriter();
            int code = SpkCommand.Invoke(
                ["pretrain", TinyRun.Recipe, "--set", $"data.root={TinyRun.Voices}", "--out", stopped, "--threads", "2", "--resume"], output, error, interruption);
            Assert.That(code, Is.EqualTo(ExitCode.Terminated));
            Assert.That(error.ToString(), Does.Contain("Interrupted after step 3").And.Contain("--resume"));
        }

        Assert.That(TinyRun.Pretrain(stopped, "--resume").Code, Is.Zero);
        Assert.That(Tensors(stopped), Is.EqualTo(Tensors(straight)));
    }

    [Test]
    public void Views_of_recordings_are_repeatable_and_lie_around_them()
    {
        string matrix = TinyRun.In("seen.npy"), again = TinyRun.In("again.npy");
        var run = CommandLine.Run("embed", TinyRun.Run, "--manifest", "eval.csv", "--data", TinyRun.Voices, "--out", matrix, "--views", "5", "--noise", TinyRun.In("voices", "noise"), "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(CommandLine.Run("embed", TinyRun.Run, "--manifest", "eval.csv", "--data", TinyRun.Voices, "--out", again, "--views", "5", "--noise", TinyRun.In("voices", "noise")).Code, Is.Zero);
        var (shape, views) = NpyFile.ReadSingle(TinyRun.In("seen.views.npy"));
        Assert.Multiple(() =>
        {
            Assert.That(run.Json.GetProperty("views").GetString(), Is.EqualTo(TinyRun.In("seen.views.npy")));
            Assert.That(shape, Is.EqualTo(new[] { 5, 12, 16 }));
            Assert.That(NpyFile.ReadSingle(TinyRun.In("again.views.npy")).Values, Is.EqualTo(views));
            for (int row = 0; row < 5 * 12; row++)
            {
                Assert.That(views.AsSpan(row * 16, 16).ToArray().Sum(v => (double)v * v), Is.EqualTo(1).Within(1e-4), $"length of view {row / 12} of {row % 12}");
            }

            // Noise is drawn anew for the second view, the fifth is the first kind again, and reverberation is something else.
            foreach (var (a, b) in new[] { (0, 1), (0, 4), (1, 2), (2, 3) })
            {
                Assert.That(views.AsSpan(a * 192, 192).SequenceEqual(views.AsSpan(b * 192, 192)), Is.False, $"views {a} and {b}");
            }
        });
        Assert.That(CommandLine.Run("embed", TinyRun.Run, "--manifest", "eval.csv", "--data", TinyRun.Voices, "--out", matrix, "--views", "1").Error, Does.Contain("--views takes 2 or more"));
        Assert.That(CommandLine.Run("embed", TinyRun.Run, "--manifest", "eval.csv", "--data", TinyRun.Voices, "--out", matrix, "--rir", "rooms").Error, Does.Contain("--rir goes with --views"));
    }

    [Test]
    public void Embed_then_score_gives_what_eval_gives()
    {
        string matrix = TinyRun.In("x.npy"), ark = TinyRun.In("x.ark"), scores = TinyRun.In("scores.txt");
        var embedded = CommandLine.Run("embed", TinyRun.Run, "--manifest", "eval.csv", "--data", TinyRun.Voices, "--out", matrix, "--ark", ark, "--json");
        Assert.That(embedded.Code, Is.Zero, embedded.Error);
        Assert.That(embedded.Json.GetProperty("utterances").GetInt32(), Is.EqualTo(12));
        Assert.That(File.ReadLines(TinyRun.In("x.ids.txt")).Count(), Is.EqualTo(12));

        var evaluated = CommandLine.Run("eval", TinyRun.Run, "--trials", Trials, "--data", TinyRun.Voices, "--json");
        Assert.That(evaluated.Code, Is.Zero, evaluated.Error);
        foreach (string table in new[] { matrix, ark })
        {
            var scored = CommandLine.Run("score", table, "--trials", Trials, "--out", scores, "--json");
            Assert.That(scored.Code, Is.Zero, scored.Error);
            Assert.That(scored.Json.GetProperty("eer").GetDouble(), Is.EqualTo(evaluated.Json.GetProperty("eer").GetDouble()));
        }

        Assert.That(File.ReadLines(scores).Count(), Is.EqualTo(File.ReadLines(Trials).Count()));
    }

    [Test]
    public void Eval_prints_the_names_that_scripts_rely_on()
    {
        var run = CommandLine.Run("eval", TinyRun.Run, "--trials", "trials.txt", "--data", TinyRun.Voices, "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.Multiple(() =>
        {
            Assert.That(run.Json.GetProperty("eer").GetDouble(), Is.InRange(0, 1));
            Assert.That(run.Json.GetProperty("minDcf01").GetDouble(), Is.InRange(0, 1));
            Assert.That(run.Json.GetProperty("minDcf05").GetDouble(), Is.InRange(0, 1));
            Assert.That(run.Json.GetProperty("trials").GetInt32(), Is.EqualTo(File.ReadLines(Trials).Count()));
            Assert.That(run.Json.GetProperty("groups").GetProperty("sv").GetProperty("eer").ValueKind, Is.EqualTo(JsonValueKind.Number));
            Assert.That(File.Exists(Path.Combine(TinyRun.Run, "scores.txt")), Is.True);
        });
    }

    [Test]
    public void Eval_groups_by_expression_and_takes_a_checkpoint_file()
    {
        var run = CommandLine.Run(
            "eval", TinyRun.Run, "--checkpoint", Latest(TinyRun.Run), "--trials", Trials, "--data", TinyRun.Voices, "--group-by", @"/(s\d+)-", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("groups").EnumerateObject().Select(g => g.Name), Is.EqualTo(["s01", "s02"]));
    }

    [Test]
    public void Report_is_one_page_that_loads_nothing()
    {
        var run = CommandLine.Run("eval", TinyRun.Run, "--trials", Trials, "--data", TinyRun.Voices, "--report");
        Assert.That(run.Code, Is.Zero, run.Error);
        string page = File.ReadAllText(Path.Combine(TinyRun.Run, "report.html"));
        Assert.That(page, Does.Contain("<svg").And.Contain("</html>").And.Not.Contain("<script").And.Not.Contain("src=\"http"));
    }

    [Test]
    public void Inspect_shows_checkpoints_recipes_and_matrices()
    {
        var checkpoint = CommandLine.Run("inspect", TinyRun.Run, "--tensors");
        Assert.That(checkpoint.Code, Is.Zero, checkpoint.Error);
        Assert.That(checkpoint.Output, Does.Contain("spk-checkpoint").And.Contain("optimizer").And.Contain("checksum in order"));
        Assert.That(CommandLine.Run("inspect", TinyRun.Run, "--json").Json.GetProperty("groups").GetProperty("encoder").GetProperty("tensors").GetInt32(), Is.Positive);
        Assert.That(CommandLine.Run("inspect", TinyRun.Run, "--recipe").Output, Does.Contain("name: tiny"));
        Assert.That(CommandLine.Run("inspect", TinyRun.Recipe).Output, Does.Contain("embeddingSize: 16"));
    }

    private static string Latest(string run) => Path.Combine(run, "checkpoints", "latest.safetensors");

    // The recipe inside may differ in training.maximumSteps; the tensors may not.
    private static byte[] Tensors(string run)
    {
        byte[] file = File.ReadAllBytes(Latest(run));
        return file[(8 + (int)BitConverter.ToInt64(file))..];
    }

    private sealed class RaiseOn(string words, Interruption interruption, int code) : StringWriter
    {
        public override void WriteLine(string? value)
        {
            base.WriteLine(value);
            if (value?.Contains(words, StringComparison.Ordinal) == true)
            {
                interruption.Raise(code);
            }
        }
    }
}
