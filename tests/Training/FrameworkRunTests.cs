using System.Text.Json;
using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Models;
using Spk.Training;
using Spk.Training.Recipes;

namespace Spk.Tests.TrainingRuns;

/// <summary>Runs of every framework: what all must keep, with queues, momentum encoders, centres and sampled positives.</summary>
public class FrameworkRunTests
{
    // 7 batches of 8 an epoch; sampling collects from the second epoch on and replaces from the third.
    private static readonly string[] Sampling =
        ["ssps.startEpoch=2", "ssps.clusters=12", "ssps.queueSize=40", "ssps.referenceSeconds=0.5", "ssps.iterations=5"];

    private string _folder = "";

    public static IEnumerable<TestCaseData> Frameworks()
    {
        string[] moco = ["objective.kind=moco", "objective.queueSize=30"];
        yield return Case("SimCLR");
        yield return Case("SimCLR with a clustered positive", [.. Sampling, "ssps.source=clusters"]);
        yield return Case("SimCLR with a positive of the own cluster", [.. Sampling, "ssps.source=clusters", "ssps.neighbours=0", "ssps.wholeCluster=true"]);
        yield return Case("SimCLR with a near positive", [.. Sampling, "ssps.source=nearest", "ssps.neighbours=3", "ssps.rankDecay=0.7"]);
        yield return Case("SimCLR with a centroid", [.. Sampling, "ssps.source=centroid"]);
        yield return Case("MoCo", moco);
        yield return Case("MoCo with one queue, grouped keys and the oracle mask", [.. moco, "objective.symmetric=false", "objective.keyGroup=4", "objective.oracleMask=true"]);
        yield return Case("MoCo with clustered positives and a margin", [.. moco, .. Sampling, "ssps.source=clusters", "ssps.neighbours=2", "objective.margin=0.1"]);
        string[] dino =
        [
            "objective.kind=dino", "objective.distill.hidden=16", "objective.distill.bottleneck=8", "objective.distill.prototypes=40", "data.localViews=2",
            "data.localSeconds=0.3", "objective.momentum.start=0.9", "objective.momentum.curve=cosine", "data.pairing=random", "optimizer.kind=sgd",
            "schedule.learningRate=0.05", "optimizer.clipNorm=3", "optimizer.clipScope=eachParameter",
        ];
        yield return Case("DINO", dino);
        yield return Case("DINO without short crops, with a warm-up", [.. dino, "data.localViews=0", "objective.distill.firstTeacherTemperature=0.02", "objective.distill.temperatureEpochs=3"]);
        yield return Case("DINO with clustered positives", [.. dino, .. Sampling, "ssps.source=clusters"]);
        yield return Case("SimCLR with a projector", "objective.projector.layers=2", "objective.projector.hidden=12", "objective.projector.outputs=6");
        yield return Case("MoCo with a projector", [.. moco, "objective.projector.layers=3", "objective.projector.hidden=12", "objective.projector.outputs=6"]);

        // 5 batches of 4 of the 20 dialogues an epoch.
        string[] dialogues = ["data.rows=dialogues", "training.batch=4", "objective.dialogue.rejection.kind=standardized"];
        yield return Case("AvA with soft rejection", [.. dialogues, "objective.kind=ava"]);
        yield return Case("AvA of three, most compact dialogues", [.. dialogues, "objective.kind=ava", "data.views=3", "objective.dialogue.rejection.kind=top"]);
        yield return Case("A-Proto with soft rejection, unnormalised", [.. dialogues, "objective.kind=angularPrototypical", "objective.dialogue.rejection.normalize=false"]);
        yield return Case("GE2E with contrast", [.. dialogues, "objective.kind=ge2e", "objective.dialogue.form=contrast", "data.views=3", "objective.dialogue.rejection.kind=absolute"]);
        yield return Case(
            "GE2E of speakers, with a frozen layer", "objective.kind=ge2e", "data.rows=speakers", "training.batch=2", "finetune.freeze=encoder.frames.0", "finetune.encoderRate=0.5",
            "optimizer.weightDecay=0.01", "optimizer.decayVectors=false", "optimizer.clipNorm=1");

        yield return Case("COLA", "objective.kind=cola", "objective.cola.outputs=12");
        yield return Case(
            "APC", "objective.kind=apc", "objective.apc.ahead=4", "encoder.kind=gru", "encoder.lastWidth=8", "encoder.layers=2", "data.views=1", "data.pairing=random", "optimizer.clipNorm=1");

        string[] classes = ["objective.kind=supervised", "data.views=1", "data.pairing=random", "data.labels.noise=0.2", "objective.margin=0.2"];
        yield return Case("AM with i-mix", [.. classes, "objective.mix.kind=input", "objective.mix.alpha=0.5"]);
        yield return Case("AdaFace with l-mix", [.. classes, "objective.head.kind=adaFace", "objective.mix.kind=pooled"]);
        yield return Case("OC-Softmax with mixed embeddings", [.. classes, "objective.head.kind=ocSoftmax", "objective.mix.kind=embedding", "objective.mix.alpha=3"]);
        yield return Case("softmax with l-mix", [.. classes, "objective.head.kind=softmax", "objective.mix.kind=pooled"]);

        static TestCaseData Case(string name, params string[] options) => new TestCaseData(new Framework(options)).SetArgDisplayNames(name);
    }

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("spk-framework-").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    // 10 lies before sampling begins, 14 where it begins to collect or to cluster, 17 and 24 within epochs.
    [TestCaseSource(nameof(Frameworks))]
    public void A_resumed_run_is_bit_for_bit_the_run_that_never_stopped(Framework framework)
    {
        Train("straight", framework, 25, threads: 1);
        foreach (int stop in new[] { 10, 14, 17, 24, 25 })
        {
            Train("parts", framework, stop, threads: 2);
        }

        Assert.That(File.ReadAllBytes(Latest("parts")), Is.EqualTo(File.ReadAllBytes(Latest("straight"))));
    }

    [TestCaseSource(nameof(Frameworks))]
    public void The_trained_encoder_can_be_loaded(Framework framework)
    {
        Train("run", framework, 2, threads: 1);
        using var device = new CpuDevice(1);
        var model = SpeakerModel.Load(Path.Combine(_folder, "run"), device);
        Assert.That(model.Embed(new float[8000].Select((_, i) => MathF.Sin(i * 0.3f) * 0.1f).ToArray(), 16000), Has.All.Matches<float>(float.IsFinite));
    }

    [Test]
    public void Sampled_positives_are_counted_every_epoch()
    {
        var framework = new Framework([.. Sampling, "ssps.source=clusters"]);
        Train("run", framework, 28, threads: 1);
        var epochs = File.ReadLines(Path.Combine(_folder, "run", "log.jsonl")).Select(l => JsonDocument.Parse(l).RootElement)
            .Where(l => l.GetProperty("kind").GetString() == "epoch").ToList();
        Assert.That(epochs.Take(2).Any(e => e.TryGetProperty("sspsCoverage", out _)), Is.False, "nothing is replaced yet");
        foreach (var epoch in epochs.Skip(2))
        {
            Assert.That(epoch.GetProperty("sspsCoverage").GetDouble(), Is.InRange(0.3, 1));
            Assert.That(epoch.GetProperty("sspsSpeakerAccuracy").GetDouble(), Is.InRange(0, 1));
            Assert.That(epoch.GetProperty("sspsSessionAccuracy").GetDouble(), Is.InRange(0, 1));
            Assert.That(epoch.GetProperty("sspsSpeakerNmi").GetDouble(), Is.InRange(0, 1));
            Assert.That(epoch.GetProperty("sspsSessionNmi").GetDouble(), Is.InRange(0, 1));
        }
    }

    [Test]
    public void Plain_training_goes_on_with_sampled_positives()
    {
        Train("plain", new Framework([]), 7, threads: 1);
        Train("plain", new Framework([.. Sampling, "ssps.source=clusters"]), 25, threads: 1);
        Train("sampled", new Framework([.. Sampling, "ssps.source=clusters"]), 25, threads: 1);
        Assert.That(File.ReadAllBytes(Latest("plain")), Is.EqualTo(File.ReadAllBytes(Latest("sampled"))));
    }

    private string Latest(string run) => new RunFolder(Path.Combine(_folder, run)).Latest;

    private void Train(string run, Framework framework, int steps, int threads)
    {
        using var device = new CpuDevice(threads);
        Recipe recipe = TinyCorpus.Recipe([.. framework.Options, $"training.maximumSteps={steps}", "evaluation.everyEpochs=0"]);
        using var trainer = Trainer.Open(recipe, Path.Combine(_folder, run), device);
        trainer.Run();
        Assert.That(trainer.Step, Is.EqualTo(steps));
    }

    public sealed record Framework(string[] Options);
}
