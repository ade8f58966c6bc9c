using NUnit.Framework;
using Spk.Cli;

namespace Spk.Tests.Cli;

/// <summary><c>spk pseudo-label</c>, and training on a file of <c>spk cluster</c>.</summary>
public class PseudoLabelTests
{
    private const string Recipe =
        """
        name: rounds
        data: { cropSeconds: 0.5, views: 1, pairing: random }
        encoder: { width: 8, embeddingSize: 8 }
        objective: { kind: supervised, margin: 0.1, mix: { kind: input } }
        rounds: { count: 2, clusters: 3 }
        training: { epochs: 1, batch: 4 }
        """;

    [OneTimeSetUp]
    public void Write() => File.WriteAllText(TinyRun.In("rounds.yaml"), Recipe);

    [Test]
    public void Rounds_report_and_go_on()
    {
        var run = Rounds("rounds", "--json");
        Assert.That(run.Code, Is.Zero, run.Error);
        var rounds = run.Json.GetProperty("rounds");
        Assert.That(rounds.GetArrayLength(), Is.EqualTo(2));
        Assert.That(rounds[1].GetProperty("clusters").GetProperty("clusters").GetDouble(), Is.EqualTo(3));
        Assert.That(rounds[1].GetProperty("eerBefore").GetDouble(), Is.EqualTo(rounds[0].GetProperty("eer").GetDouble()));
        Assert.That(run.Error, Does.Contain("MiB on the device to train 3 classes").And.Contain("completeness"));
        Assert.That(run.Json.GetProperty("model").GetString(), Does.EndWith("round-2"));
        Rounds("rounds").AssertRefused(ExitCode.Usage, "--resume", "--restart");
        var again = Rounds("rounds", "--resume", "--json");
        Assert.That(again.Code, Is.Zero, again.Error);
        Assert.That(again.Json.GetProperty("rounds").GetRawText(), Is.EqualTo(rounds.GetRawText()), "nothing is repeated");
    }

    [Test]
    public void A_recipe_with_rounds_is_not_pretrained() => CommandLine.Run(
        "pretrain", TinyRun.In("rounds.yaml"), "--set", $"data.root={TinyRun.Voices}", "--out", TinyRun.In("none"), "--device", "cpu")
        .AssertRefused(ExitCode.Usage, "rounds.count = 2", "spk pseudo-label");

    [Test]
    public void A_file_of_spk_cluster_trains_as_it_is()
    {
        var embedded = CommandLine.Run("embed", TinyRun.Run, "--manifest", Path.Combine(TinyRun.Voices, "train.csv"), "--data", TinyRun.Voices, "--out", TinyRun.In("t.npy"), "--device", "cpu");
        Assert.That(embedded.Code, Is.Zero, embedded.Error);
        var clustered = CommandLine.Run("cluster", TinyRun.In("t.npy"), "--k", "3", "--metric", "cosine", "--out", TinyRun.In("t.csv"), "--device", "cpu");
        Assert.That(clustered.Code, Is.Zero, clustered.Error);
        var trained = CommandLine.Run(
            "pretrain", TinyRun.In("rounds.yaml"), "--set", $"data.root={TinyRun.Voices}", $"data.labels.file={TinyRun.In("t.csv")}", "objective.head.kind=ocSoftmax", "--out",
            TinyRun.In("labelled"), "--threads", "1", "--device", "cpu");
        Assert.That(trained.Code, Is.Zero, trained.Error);
    }

    private static CommandLine Rounds(string run, params string[] more) => CommandLine.Run(
        ["pseudo-label", TinyRun.Run, TinyRun.In("rounds.yaml"), "--set", $"data.root={TinyRun.Voices}", "--out", TinyRun.In(run), "--threads", "1", "--device", "cpu", .. more]);
}
