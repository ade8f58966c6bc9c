using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using NUnit.Framework;
using Spk.Cli;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Tests.Cli;
using Spk.Tests.Support;
using Spk.Tests.TrainingRuns;
using Spk.Training;
using Spk.Training.Checkpoints;

namespace Spk.Tests.Collectives;

/// <summary><c>mpirun -n 2 spk pretrain</c>, as a user starts it.</summary>
public class MpiTrainingTests
{
    private static readonly string[] Sgd = ["optimizer.kind=sgd", "optimizer.momentum=0", "schedule.learningRate=2e-4", "objective.temperature=0.5"];

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void RemoveFolder() => _folder.Dispose();

    [Test]
    public void Two_processes_train_and_resume_what_one_trains()
    {
        MpiRun.Require();
        string recipe = Recipe(Sgd);
        Assert.That(CommandLine.Run(Pretrain(recipe, "one", "--set", "training.maximumSteps=20")).Code, Is.Zero);
        Assert.That(MpiRun.Finish(MpiRun.Start(_folder.Root, Pretrain(recipe, "two", "--set", "training.maximumSteps=10", "evaluation.trials=none.txt"))).Code, Is.Zero);
        var (code, output, error) = MpiRun.Finish(MpiRun.Start(_folder.Root, [.. Pretrain(recipe, "two", "--set", "training.maximumSteps=20"), "--resume", "--json"]));
        Assert.That(code, Is.Zero, error);
        using (var json = JsonDocument.Parse(output))
        {
            Assert.That(json.RootElement.GetProperty("steps").GetInt64(), Is.EqualTo(20), "one object: only rank 0 prints");
        }

        double[] one = Losses("one"), two = Losses("two");
        Assert.That(two, Has.Length.EqualTo(20));
        Assert.That(two[0], Is.EqualTo(one[0]).Within(Tolerance.SharedStep * one[0]));
        Close.Assert(two, one, Tolerance.SharedCourse * one.Min(), "losses");
        var moved = Embedding("two").Zip(Embedding("one"), (a, b) => Math.Abs(a - b)).Max();
        Assert.That(moved, Is.LessThan(1e-3f), "embeddings of the same recording by both models");
        Assert.That(Directory.EnumerateFiles(_folder.At("two")).Select(Path.GetFileName), Is.EquivalentTo(Directory.EnumerateFiles(_folder.At("one")).Select(Path.GetFileName)));
    }

    [Test]
    public void A_process_that_is_killed_ends_the_other_and_leaves_a_checkpoint_to_go_on_from()
    {
        MpiRun.Require();
        string recipe = Recipe("training.epochs=100000", "training.checkpointEverySteps=3", "evaluation.trials=none.txt");
        var run = new RunFolder(_folder.At("killed"));
        var processes = MpiRun.Start(_folder.Root, Pretrain(recipe, "killed"));
        var patience = Stopwatch.StartNew();
        while (!File.Exists(run.Previous) && !processes.HasExited && patience.Elapsed < TimeSpan.FromSeconds(40))
        {
            Thread.Sleep(5);
        }

        Assert.That(run.HasCheckpoint, "training had begun");
        using (var victim = Process.GetProcessById(PidOf(1)))
        {
            victim.Kill();
        }

        patience.Restart();
        var (code, _, error) = MpiRun.Finish(processes);
        Assert.That(code, Is.Not.Zero);
        Assert.That(patience.Elapsed, Is.LessThan(TimeSpan.FromSeconds(15)));
        string[] errors = [.. error.Split('\n').Where(line => line.StartsWith("error: ", StringComparison.Ordinal))];
        Assert.That(errors, Has.Length.EqualTo(1), error);
        Assert.That(errors[0], Does.StartWith("error: Process 0 ends, because another process").And.Contain(run.Latest).And.Contain("--resume"));

        using var file = SafetensorsFile.Open(run.Latest);
        long step = CheckpointState.ReadFrom(file).Step;
        var next = CommandLine.Run([.. Pretrain(recipe, "killed", "--set", $"training.maximumSteps={step + 2}"), "--resume", "--json"]);
        Assert.That(next.Code, Is.Zero, next.Error);
        Assert.That(next.Json.GetProperty("steps").GetInt64(), Is.EqualTo(step + 2));
    }

    [Test]
    public void What_processes_cannot_share_ends_all_of_them_with_one_sentence()
    {
        MpiRun.Require();
        string recipe = Recipe("objective.kind=supervised", "objective.mix.kind=input");
        var (code, output, error) = MpiRun.Finish(MpiRun.Start(_folder.Root, Pretrain(recipe, "refused")));
        Assert.That(code, Is.EqualTo(ExitCode.Usage), error);
        Assert.That(output, Is.Empty);
        string[] errors = [.. error.Split('\n').Where(line => line.StartsWith("error: ", StringComparison.Ordinal))];
        Assert.That(errors, Has.Length.EqualTo(1), error);
        Assert.That(errors[0], Does.Contain("objective.mix.kind = input cannot be trained by 2 processes together"));
    }

    [TestCase("doctor")]
    [TestCase("data synth --out voices")]
    public void Other_verbs_work_in_one_process(string arguments)
    {
        string[] words = arguments.Split(' ');
        var (code, output, error) = MpiRun.Believe("none.so", words);
        new CommandLine(code, output, error).AssertRefused(ExitCode.Usage, "spk " + string.Join(' ', words.Take(2)), "without mpirun");
    }

    [Test]
    public void A_missing_library_is_named()
    {
        var (code, output, error) = MpiRun.Believe("none.so", Pretrain(Recipe(), "nowhere"));
        new CommandLine(code, output, error).AssertRefused(ExitCode.Failure, "none.so: not found", "openmpi-bin", "SPK_MPI");
    }

    [Test]
    [Platform("Linux", Reason = "skipped, optional: the library is one that every Linux has")]
    public void A_library_that_is_not_open_mpi_is_named()
    {
        var (code, output, error) = MpiRun.Believe("libc.so.6", Pretrain(Recipe(), "nowhere"));
        new CommandLine(code, output, error).AssertRefused(ExitCode.Failure, "not Open MPI");
    }

    private string Recipe(params string[] options) => _folder.Text("recipe.yaml", TinyCorpus.Recipe(["training.epochs=4", .. options]).ToYaml());

    private string[] Pretrain(string recipe, string run, params string[] options) =>
        ["pretrain", recipe, "--out", _folder.At(run), "--device", "cpu", "--threads", "1", "--quiet", .. options];

    private int PidOf(int rank) => int.Parse(File.ReadAllText(_folder.At($"pid.{rank}")), CultureInfo.InvariantCulture);

    private double[] Losses(string run) =>
    [
        .. File.ReadAllLines(new RunFolder(_folder.At(run)).Log).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => line.GetProperty("kind").GetString() == "step").Select(line => line.GetProperty("loss").GetDouble()),
    ];

    private float[] Embedding(string run)
    {
        using var device = new CpuDevice(1);
        return SpeakerModel.Load(_folder.At(run), device).Embed(Samples.Normal(1, 16000, 0.1f), 16000);
    }
}
