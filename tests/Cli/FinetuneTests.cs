using NUnit.Framework;
using Spk.Cli;
using Spk.Engine.Models;

namespace Spk.Tests.Cli;

/// <summary><c>spk finetune</c> and training on dialogues, from the command line.</summary>
public class FinetuneTests
{
    private const string Tune =
        """
        name: tune
        data: { rows: speakers, views: 2, cropSeconds: 0.5 }
        encoder: { width: 99 }
        objective: { kind: ge2e }
        training: { epochs: 3, batch: 4 }
        """;

    [OneTimeSetUp]
    public void Write() => File.WriteAllText(TinyRun.In("tune.yaml"), Tune);

    [Test]
    public void The_encoder_of_the_model_moves_and_frozen_layers_do_not()
    {
        var run = Finetune("tuned", "finetune.freeze=encoder.frames.0,encoder.frames.1");
        Assert.That(run.Code, Is.Zero, run.Error);
        using var before = SafetensorsFile.Open(SpeakerModel.Resolve(TinyRun.Run));
        using var after = SafetensorsFile.Open(SpeakerModel.Resolve(TinyRun.In("tuned")));
        foreach (string name in new[] { "encoder.frames.0.conv.weight", "encoder.frames.1.norm.weight", "encoder.frames.0.norm.running_mean", "encoder.frames.1.norm.running_var" })
        {
            Assert.That(after.ReadSingle(name), Is.EqualTo(before.ReadSingle(name)), name);
        }

        foreach (string name in new[] { "encoder.frames.2.conv.weight", "encoder.embedding.weight", "encoder.frames.2.norm.bias" })
        {
            float[] was = before.ReadSingle(name), now = after.ReadSingle(name);
            Assert.That(now, Is.Not.EqualTo(was), name);
            Assert.That(now.Zip(was, (a, b) => Math.Abs(a - b)).Max(), Is.LessThan(0.02), "it started from the model");
        }

        Assert.That(File.ReadAllText(TinyRun.In("tuned", "recipe.yaml")), Does.Contain("width: 16").And.Contain("model: "));
    }

    [Test]
    public void From_scratch_only_the_architecture_is_taken_over()
    {
        var run = Finetune("scratch", "finetune.freeze=encoder.frames.0", "--scratch");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(File.ReadAllText(TinyRun.In("scratch", "recipe.yaml")), Does.Contain("width: 16").And.Contain("model: null").And.Contain("freeze: null"));
        using var before = SafetensorsFile.Open(SpeakerModel.Resolve(TinyRun.Run));
        using var after = SafetensorsFile.Open(SpeakerModel.Resolve(TinyRun.In("scratch")));
        Assert.That(after.ReadSingle("encoder.frames.0.conv.weight"), Is.Not.EqualTo(before.ReadSingle("encoder.frames.0.conv.weight")));
    }

    [Test]
    public void An_AAM_head_learns_on_a_frozen_encoder()
    {
        var run = Finetune("head", "objective.kind=supervised", "--set", "data.rows=utterances", "finetune.freeze=encoder");
        Assert.That(run.Code, Is.Zero, run.Error);
        using var before = SafetensorsFile.Open(SpeakerModel.Resolve(TinyRun.Run));
        using var after = SafetensorsFile.Open(SpeakerModel.Resolve(TinyRun.In("head")));
        Assert.That(after.ReadSingle("encoder.embedding.weight"), Is.EqualTo(before.ReadSingle("encoder.embedding.weight")));
    }

    [Test]
    public void An_AAM_head_has_a_class_for_each_chosen_speaker_only()
    {
        var run = Finetune("few", "objective.kind=supervised", "--set", "data.rows=utterances", "data.limitSpeakers=3");
        Assert.That(run.Code, Is.Zero, run.Error);
        using var file = SafetensorsFile.Open(SpeakerModel.Resolve(TinyRun.In("few")));
        Assert.That(file.Tensors["objective.weight"].Shape, Is.EqualTo(new[] { 3, 16 }));
    }

    [TestCase("cola", "objective.cola.outputs=8")]
    [TestCase("apc", "encoder.kind=gru", "data.views=1", "data.pairing=random")]
    public void A_comparator_can_be_tuned(string kind, params string[] options)
    {
        string model = TinyRun.In(kind);
        var run = TinyRun.Pretrain(model, ["--set", $"objective.kind={kind}", .. options]);
        Assert.That(run.Code, Is.Zero, run.Error);
        run = CommandLine.Run(
            "finetune", model, TinyRun.In("tune.yaml"), "--set", $"data.root={TinyRun.Voices}", "--out", TinyRun.In(kind + "-tuned"), "--threads", "1", "--device", "cpu");
        Assert.That(run.Code, Is.Zero, run.Error);
        Assert.That(File.ReadAllText(TinyRun.In(kind + "-tuned", "recipe.yaml")), Does.Contain($"kind: {(kind == "apc" ? "gru" : "tdnn")}").And.Contain("kind: ge2e"));
    }

    [TestCase("finetune.freeze=encoder.layer7", "finetune.freeze = encoder.layer7", "encoder.frames.0")]
    [TestCase("finetune.freeze=encoder,objective", "nothing is left to train")]
    [TestCase("objective.kind=moco", "data.rows = speakers")]
    [TestCase("data.views=5", "data.views = 5", "the most is 4")]
    [TestCase("training.batch=5", "training.batch = 5", "1 to 4")]
    [TestCase("data.limitSpeakers=9", "data.limitSpeakers = 9")]
    public void What_does_not_fit_is_one_sentence(string assignment, params string[] words) => Finetune("refused", assignment).AssertRefused(ExitCode.Usage, words);

    [Test]
    public void A_model_that_is_not_there_is_named() =>
        CommandLine.Run("finetune", TinyRun.In("nothing"), TinyRun.In("tune.yaml"), "--out", TinyRun.In("none")).AssertRefused(ExitCode.Failure, "nothing");

    [Test]
    public void A_list_of_dialogues_that_is_not_there_is_named() =>
        CommandLine.Run(
            "pretrain", TinyRun.In("tune.yaml"), "--set", $"data.root={TinyRun.Voices}", "data.rows=dialogues", "--out", TinyRun.In("none"), "--device", "cpu")
            .AssertRefused(ExitCode.Failure, "sessions.csv");

    private static CommandLine Finetune(string run, string assignment, params string[] more) => CommandLine.Run(
        ["finetune", TinyRun.Run, TinyRun.In("tune.yaml"), "--set", $"data.root={TinyRun.Voices}", assignment, "--out", TinyRun.In(run), "--threads", "1", "--device", "cpu", .. more]);
}
