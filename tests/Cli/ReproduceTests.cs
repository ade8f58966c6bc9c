using NUnit.Framework;
using Spk.Cli;
using Spk.Cli.Terminal;
using Spk.Tests.Support;

namespace Spk.Tests.Cli;

public class ReproduceTests
{
    [TestCase("reproduce", "NAME", "--list")]
    [TestCase("reproduce nt-xent-am --list", "takes no NAME")]
    [TestCase("reproduce nt-xent", "There is no experiment 'nt-xent'", "nt-xent-am")]
    [TestCase("reproduce nt-xent-am --seeds 1,two", "--seeds", "'1,two'")]
    [TestCase("reproduce nt-xent-am --seeds 1,1 --out {out}", "seed twice")]
    [TestCase("reproduce nt-xent-am --corpus moon --out {out}", "'moon'", "voices, recorded")]
    [TestCase("reproduce nt-xent-am --corpus recorded --out {out}", "--data")]
    [TestCase("reproduce nt-xent-am --set objective --out {out}", "key=value")]
    [TestCase("reproduce nt-xent-am --set data.root=x --out {out}", "--set data.root=x", "--data")]
    [TestCase("reproduce nt-xent-am --set objective.margins=1 --out {out}", "did you mean objective.margin?")]
    public void Wrong_usage_is_one_sentence(string line, params string[] words)
    {
        using var folder = new TemporaryFolder();
        CommandLine.Run([.. line.Split(' ').Select(w => w.Replace("{out}", folder.At("out"), StringComparison.Ordinal))]).AssertRefused(ExitCode.Usage, words);
        Assert.That(Directory.Exists(folder.At("out")), Is.False, "nothing is written");
    }

    [Test]
    public void A_folder_without_trials_is_refused()
    {
        using var folder = new TemporaryFolder();
        CommandLine.Run("reproduce", "nt-xent-am", "--data", folder.Root, "--out", folder.At("out")).AssertRefused(ExitCode.Failure, "trials.txt");
    }

    [Test]
    public void The_list_names_every_experiment_with_its_claims()
    {
        var run = CommandLine.Run("reproduce", "--list");
        Assert.That(run.Code, Is.Zero);
        Assert.That(run.Output, Does.Contain("nt-xent-am").And.Contain("recorded (--data)").And.Contain("lower EER"));
        Assert.That(CommandLine.Run("reproduce", "--list", "--json").Json.GetProperty("experiments")[0].GetProperty("systems").GetArrayLength(), Is.GreaterThan(3));
    }

    [Test]
    public void It_stops_goes_on_and_leaves_a_page()
    {
        using var folder = new TemporaryFolder();
        string[] line =
        [
            "reproduce", "nt-xent-am", "--quick", "--corpus", "recorded", "--data", TinyRun.Voices, "--seeds", "1,2", "--out", folder.At("out"), "--device", "cpu", "--threads", "1",
            "--set", "training.epochs=1", "training.batch=8", "data.cropSeconds=0.3", "encoder.width=4", "encoder.lastWidth=4", "encoder.embeddingSize=4",
            "data.augmentation.reverbProbability=0", "data.augmentation.noiseProbability=0",
        ];
        using (var interruption = new Interruption())
        {
            interruption.Raise();
            Assert.That(CommandLine.Run(interruption, line).Code, Is.EqualTo(ExitCode.Interrupted));
        }

        var run = CommandLine.Run([.. line, "--json"]);
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(run.Json.GetProperty("corpora")[0].GetProperty("claims").GetArrayLength(), Is.EqualTo(6));
        Assert.That(File.ReadAllText(run.Json.GetProperty("markdown").GetString()!), Does.Contain($"spk reproduce nt-xent-am --data {TinyRun.Voices} --corpus recorded --seeds 1,2 --quick --set training.epochs=1"));
        Assert.That(File.Exists(run.Json.GetProperty("html").GetString()));

        var again = CommandLine.Run(line);
        Assert.That(again.Error, Does.Contain("6 runs on recorded, 6 of them finished").And.Not.Contain("run 1/6"));
        Assert.That(again.Output, Does.Contain("inconclusive").Or.Contain("reproduced"));
    }
}
