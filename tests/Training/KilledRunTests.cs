using System.Diagnostics;
using NUnit.Framework;
using Spk.Training;

namespace Spk.Tests.TrainingRuns;

/// <summary>A run in a process of its own that is killed without warning.</summary>
[Category("Slow")]
public class KilledRunTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder()
    {
        _folder = Directory.CreateTempSubdirectory("spk-killed-").FullName;
        File.WriteAllText(
            Path.Combine(_folder, "recipe.yaml"),
            TinyCorpus.Recipe("training.maximumSteps=40", "training.checkpointEverySteps=4", "training.epochs=20").ToYaml());
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Killed_and_resumed_it_writes_the_bytes_of_a_run_that_was_not()
    {
        Assert.That(Finish("straight"), Is.Zero);
        RunFolder killed = new(Path.Combine(_folder, "killed")), straight = new(Path.Combine(_folder, "straight"));
        using (var process = Start("killed"))
        {
            var patience = Stopwatch.StartNew();
            while (!File.Exists(killed.Previous) && !process.HasExited && patience.Elapsed < TimeSpan.FromMinutes(2))
            {
                Thread.Sleep(1);
            }

            process.Kill();
            process.WaitForExit();
            Assert.That(process.ExitCode, Is.Not.Zero, "the run must still have been going on when it was killed");
        }

        Assert.That(killed.HasCheckpoint);
        Assert.That(Finish("killed", "--resume"), Is.Zero);
        Assert.That(File.ReadAllBytes(killed.Latest), Is.EqualTo(File.ReadAllBytes(straight.Latest)));
        Assert.That(File.ReadAllLines(killed.Log).Count(l => l.StartsWith("{\"kind\":\"step\"", StringComparison.Ordinal)), Is.EqualTo(40));
    }

    private int Finish(string run, params string[] options)
    {
        using var process = Start(run, options);
        process.WaitForExit();
        return process.ExitCode;
    }

    private Process Start(string run, params string[] options)
    {
        var start = new ProcessStartInfo("dotnet") { UseShellExecute = false };
        string[] arguments =
        [
            "exec", Path.Combine(TestContext.CurrentContext.TestDirectory, "spk.dll"), "pretrain", Path.Combine(_folder, "recipe.yaml"),
            "--out", Path.Combine(_folder, run), "--device", "cpu", "--threads", "2", "--quiet", .. options,
        ];
        foreach (string argument in arguments)
        {
            start.ArgumentList.Add(argument);
        }

        return Process.Start(start)!;
    }
}
