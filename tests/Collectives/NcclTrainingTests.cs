using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using NUnit.Framework;
using Spk.Tests.Support;
using Spk.Tests.TrainingRuns;
using Spk.Training;

namespace Spk.Tests.Collectives;

/// <summary><c>mpirun -n 2 spk pretrain --device cuda:0</c> on emulated GPUs, which exchange through the emulator's NCCL.</summary>
public class NcclTrainingTests
{
    private const int Steps = 6;

    private static readonly string[] Sizes =
    [
        "training.batch=8", "data.cropSeconds=0.25", "features.bins=16", "encoder.width=8", "encoder.lastWidth=8", "evaluation.everyEpochs=0", "evaluation.trials=none.txt",
        "optimizer.kind=sgd", "optimizer.momentum=0", "schedule.learningRate=2e-4", "objective.temperature=0.5",
    ];

    private TemporaryFolder _folder = null!;

    public static IEnumerable<TestCaseData> Objectives() =>
    [
        new TestCaseData((object)(string[])["objective.kind=simClr"]).SetArgDisplayNames("SimCLR"),
        new TestCaseData((object)(string[])["objective.kind=moco", "objective.queueSize=16", "objective.keyGroup=4", "objective.momentum.start=0.9"]).SetArgDisplayNames("MoCo"),
    ];

    [SetUp]
    public void MakeFolder()
    {
        MpiRun.Require();
        if (!File.Exists(EmulatorSettings.LibraryPath))
        {
            Assert.Ignore("skipped: the CUDA emulator was not built (it needs cmake and a C++ compiler)");
        }

        _folder = new TemporaryFolder();
    }

    [TearDown]
    public void RemoveFolder() => _folder?.Dispose();

    [TestCaseSource(nameof(Objectives))]
    public void Two_gpus_train_what_one_trains(string[] objective)
    {
        string recipe = Recipe([.. objective, $"training.maximumSteps={Steps}"]);
        var one = MpiRun.StartAlone(MpiRun.Emulator, Pretrain(recipe, "one"));
        var two = MpiRun.Finish(MpiRun.Start(_folder.Root, MpiRun.Emulator, Pretrain(recipe, "two")));
        var alone = MpiRun.Finish(one);
        Assert.That(alone.Code, Is.Zero, alone.Error);
        Assert.That(two.Code, Is.Zero, two.Error);
        double[] want = Losses("one"), got = Losses("two");
        Assert.That(got, Has.Length.EqualTo(Steps));
        Assert.That(got[0], Is.EqualTo(want[0]).Within(Tolerance.SharedStep * want[0]));
        Close.Assert(got, want, Tolerance.SharedCourse * want.Min(), "losses");
    }

    [Test]
    public void A_process_that_is_killed_ends_the_other_with_one_sentence()
    {
        string recipe = Recipe("training.epochs=100000", "training.checkpointEverySteps=2");
        var run = new RunFolder(_folder.At("killed"));
        var processes = MpiRun.Start(_folder.Root, MpiRun.Emulator, Pretrain(recipe, "killed"));
        var patience = Stopwatch.StartNew();
        while (!File.Exists(run.Previous) && !processes.HasExited && patience.Elapsed < TimeSpan.FromSeconds(40))
        {
            Thread.Sleep(5);
        }

        Assert.That(run.HasCheckpoint, "training had begun");
        using (var victim = Process.GetProcessById(int.Parse(File.ReadAllText(_folder.At("pid.1")), CultureInfo.InvariantCulture)))
        {
            victim.Kill();
        }

        patience.Restart();
        var (code, _, error) = MpiRun.Finish(processes);
        Assert.That(code, Is.Not.Zero);
        Assert.That(patience.Elapsed, Is.LessThan(TimeSpan.FromSeconds(15)));
        string[] errors = [.. error.Split('\n').Where(line => line.StartsWith("error: ", StringComparison.Ordinal))];
        Assert.That(errors, Has.Length.EqualTo(1), error);
        Assert.That(errors[0], Does.StartWith("error: Process 0 ends, because another process").And.Contain(run.Latest));
    }

    [Test]
    public void A_missing_library_is_named_once()
    {
        var (code, output, error) = MpiRun.Finish(MpiRun.Start(_folder.Root, [.. MpiRun.Emulator, ("SPK_NCCL", "none.so")], Pretrain(Recipe(), "nowhere")));
        Assert.That(code, Is.Not.Zero);
        Assert.That(output, Is.Empty);
        string[] errors = [.. error.Split('\n').Where(line => line.StartsWith("error: ", StringComparison.Ordinal))];
        Assert.That(errors, Has.Length.EqualTo(1), error);
        Assert.That(errors[0], Does.Contain("NCCL").And.Contain("none.so: not found").And.Contain("libnccl2").And.Contain("SPK_NCCL"));
    }

    [Test]
    public void Each_process_takes_a_gpu_of_its_own()
    {
        // The emulator has one device.
        var (code, _, error) = MpiRun.Finish(MpiRun.Start(
            _folder.Root, MpiRun.Emulator, "pretrain", Recipe(), "--out", _folder.At("run"), "--device", "cuda", "--quiet"));
        Assert.That(code, Is.Not.Zero);
        Assert.That(error, Does.Contain("There is no device cuda:1: the driver reports 1 device."));
    }

    private string Recipe(params string[] options) => _folder.Text("recipe.yaml", TinyCorpus.Recipe([.. Sizes, .. options]).ToYaml());

    private string[] Pretrain(string recipe, string run) => ["pretrain", recipe, "--out", _folder.At(run), "--device", "cuda:0", "--quiet"];

    private double[] Losses(string run) =>
    [
        .. File.ReadAllLines(new RunFolder(_folder.At(run)).Log).Select(line => JsonDocument.Parse(line).RootElement)
            .Where(line => line.GetProperty("kind").GetString() == "step").Select(line => line.GetProperty("loss").GetDouble()),
    ];
}
