using System.Numerics.Tensors;
using NUnit.Framework;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Tests.TrainingRuns;
using Spk.Training;
using Spk.Training.Recipes;

namespace Spk.Tests.Collectives;

/// <summary>Ranks that share batches train what one process trains on the joined batches.</summary>
public class SharedTrainingTests
{
    private const int Steps = 20;

    // Steps so small that rounding hardly grows: at a rate of 2e-4 some processors' rounding makes losses differ by 1e-3 within the 20 steps, at 1e-3 with
    // momentum any does. What the weights moved is compared relatively, so a small rate hides nothing.
    private static readonly string[] Sizes =
    [
        "training.batch=12", "encoder.width=16", "encoder.lastWidth=32", "encoder.embeddingSize=16", "optimizer.kind=sgd", "optimizer.momentum=0", "schedule.learningRate=2e-5",
    ];

    private static readonly string[] Dialogues = ["data.rows=dialogues", "data.dialogues=sessions.csv", "training.batch=6"];

    private static readonly string[] Moco = ["objective.kind=moco", "objective.queueSize=64", "objective.temperature=0.5", "objective.momentum.start=0.9"];

    private static readonly string[] Dino =
    [
        "objective.kind=dino", "objective.distill.hidden=16", "objective.distill.bottleneck=8", "objective.distill.prototypes=40", "objective.momentum.start=0.9", "data.pairing=random",
    ];

    // 5 steps an epoch: positives are replaced in the last 15 of the 20. Whose, depends on which centroid is nearest: where rounding had grown to 1e-5, another
    // utterance would be taken now and then.
    private static readonly string[] Sampling = ["ssps.startEpoch=1", "ssps.clusters=6", "ssps.queueSize=36", "ssps.referenceSeconds=0.5", "ssps.iterations=5"];

    public static IEnumerable<TestCaseData> Objectives()
    {
        yield return Case("SimCLR", 2, "objective.temperature=0.5");
        yield return Case("SimCLR, 3 ranks, projector, mask", 3, "objective.temperature=0.5", "objective.projector.layers=2", "objective.projector.hidden=24", "objective.projector.outputs=8", "objective.oracleMask=true");
        yield return Case("SimCLR, ECAPA", 2, "objective.temperature=0.5", "encoder.kind=ecapa", "encoder.bottleneck=8", "encoder.scale=4");
        yield return Case("speakers, AAM", 2, "objective.kind=supervised", "objective.marginKind=additiveAngular", "objective.scale=5", "objective.margin=0.1");
        yield return Case("speakers, softmax, l-mix", 2, "objective.kind=supervised", "objective.head.kind=softmax", "objective.mix.kind=embedding");
        yield return Case("speakers, AdaFace", 2, "objective.kind=supervised", "objective.head.kind=adaFace", "objective.scale=5", "objective.margin=0.1");
        yield return Case("pseudo-labels", 2, "objective.kind=supervised", "objective.scale=5", $"data.labels.file={TinyCorpus.Labels}");
        yield return Case("dialogues, AvA with rejection", 2, [.. Dialogues, "objective.kind=ava", "objective.dialogue.scale=2", "objective.dialogue.rejection.kind=standardized"]);
        yield return Case("COLA", 2, "objective.kind=cola");
        yield return Case("dialogues, GE2E", 2, [.. Dialogues, "objective.kind=ge2e", "objective.dialogue.scale=2"]);
        yield return Case("MoCo, margin, mask", 2, [.. Moco, "objective.marginKind=additive", "objective.margin=0.1", "objective.oracleMask=true"]);
        yield return Case("MoCo, 3 ranks, projector, one queue", 3, [.. Moco, "objective.symmetric=false", "objective.projector.layers=2", "objective.projector.hidden=24", "objective.projector.outputs=8"]);
        yield return Case("MoCo, grouped keys", 2, [.. Moco, "objective.keyGroup=4", "objective.queueSize=30"]);
        yield return Case("MoCo, 3 ranks, one queue, grouped keys", 3, [.. Moco, "objective.symmetric=false", "objective.keyGroup=4"]);
        yield return Case("DINO, short crops", 2, [.. Dino, "data.localViews=2", "data.localSeconds=0.3"]);
        yield return Case("DINO, 3 ranks", 3, Dino);
        yield return Case("SSPS, clusters", 2, [.. Sampling, "objective.temperature=0.5", "ssps.source=clusters"]);
        yield return Case("SSPS, nearest, 3 ranks", 3, [.. Sampling, "objective.temperature=0.5", "ssps.source=nearest", "ssps.neighbours=2"]);
        yield return Case("SSPS, centroids", 2, [.. Sampling, "objective.temperature=0.5", "ssps.source=centroid"]);
        yield return Case("MoCo, SSPS", 2, [.. Moco, .. Sampling, "ssps.source=clusters"]);
        yield return Case("DINO, SSPS", 2, [.. Dino, .. Sampling, "ssps.source=clusters"]);
        yield return Case("APC", 2, "objective.kind=apc", "encoder.kind=gru", "encoder.lastWidth=16", "encoder.layers=2", "data.views=1", "data.pairing=random");

        static TestCaseData Case(string name, int ranks, params string[] options) => new TestCaseData(ranks, options).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Objectives))]
    public void Losses_gradients_and_weights_are_those_of_the_joined_batch(int ranks, string[] options)
    {
        var recipe = TinyCorpus.Recipe([.. Sizes, .. options]);
        var one = Course(recipe, Collective.Alone);
        foreach (var rank in ThreadCollective.Run(ranks, processes => Course(recipe, processes)))
        {
            Assert.That(rank.Losses[0], Is.EqualTo(one.Losses[0]).Within(Tolerance.SharedStep * one.Losses[0]), "loss of the first step");
            Close.Assert(rank.Gradients, one.Gradients, Tolerance.SharedStep * TensorPrimitives.Norm<float>(one.Gradients), "gradients of the first step");
            Assert.That(Difference(rank.Gradients, one.Gradients), Is.LessThan(Tolerance.SharedStep), "gradients of the first step, as one vector");
            Close.Assert(rank.Losses, one.Losses, Tolerance.SharedCourse * one.Losses.Min(), "losses");
            Assert.That(Difference(rank.Moves, one.Moves), Is.LessThan(Tolerance.SharedMoves), "what the weights moved");
        }
    }

    [Test]
    public void Ranks_that_draw_from_other_rows_would_be_noticed()
    {
        var recipe = TinyCorpus.Recipe([.. Sizes, "objective.temperature=0.5"]);
        var one = Course(recipe, Collective.Alone);
        var other = Course(recipe with { Training = recipe.Training with { Seed = 5 } }, Collective.Alone);
        Assert.That(Difference(other.Gradients, one.Gradients), Is.GreaterThan(0.1));
        Assert.That(Math.Abs(other.Losses[0] - one.Losses[0]) / one.Losses[0], Is.GreaterThan(Tolerance.SharedStep * 10));
    }

    // 4 batches an epoch, of 48 utterances: sampling has begun where the run stops.
    private static readonly string[][] Resumed = [[], [.. Moco, "objective.keyGroup=4"], Dino, [.. Sampling, "ssps.source=clusters"], [.. Moco, .. Sampling, "ssps.source=nearest"]];

    [Test]
    public void A_stopped_run_goes_on_with_the_same_bits_and_only_rank_0_writes([ValueSource(nameof(Resumed))] string[] objective)
    {
        using var folder = new TemporaryFolder();
        string[] options = [.. Sizes, .. objective, "training.epochs=3", "data.devSpeakers=2", "training.checkpointEverySteps=4"];
        Train("straight", 9);
        Assert.That(Train("stopped", 5).Select(o => o.End), Is.All.EqualTo(TrainingEnd.StepLimit));
        var outcomes = Train("stopped", 9);
        Assert.That(outcomes.Select(o => o.Step), Is.All.EqualTo(9));
        RunFolder stopped = new(folder.At("stopped")), straight = new(folder.At("straight"));
        Assert.That(File.ReadAllBytes(stopped.Latest), Is.EqualTo(File.ReadAllBytes(straight.Latest)));
        Assert.That(File.ReadAllLines(stopped.Log).Count(l => l.StartsWith("{\"kind\":\"step\"", StringComparison.Ordinal)), Is.EqualTo(9));
        Assert.That(outcomes[0].BestEer, Is.Not.Null);
        Assert.That(outcomes[1].BestEer, Is.Null);

        TrainingOutcome[] Train(string run, int steps) => ThreadCollective.Run(2, processes =>
        {
            using var device = new CpuDevice(1) { Collective = processes };
            using var trainer = Trainer.Open(TinyCorpus.Recipe([.. options, $"training.maximumSteps={steps}"]), folder.At(run), device);
            return trainer.Run();
        });
    }

    [Test]
    public void Any_rank_may_be_asked_to_stop()
    {
        using var folder = new TemporaryFolder();
        var outcomes = ThreadCollective.Run(2, processes =>
        {
            using var stop = new CancellationTokenSource();
            stop.CancelAfter(processes.IsLead ? Timeout.InfiniteTimeSpan : TimeSpan.FromMilliseconds(200));
            using var device = new CpuDevice(1) { Collective = processes };
            using var trainer = Trainer.Open(TinyCorpus.Recipe([.. Sizes, "training.epochs=1000"]), folder.At("run"), device);
            return trainer.Run(cancellation: stop.Token);
        });
        Assert.That(outcomes.Select(o => o.End), Is.All.EqualTo(TrainingEnd.Cancelled));
        Assert.That(outcomes[0].Step, Is.EqualTo(outcomes[1].Step));
        Assert.That(new RunFolder(folder.At("run")).HasCheckpoint);
    }

    [Test]
    public void Ranks_with_different_recipes_do_not_start()
    {
        using var folder = new TemporaryFolder();
        Assert.That(
            () => ThreadCollective.Run(2, processes =>
            {
                using var device = new CpuDevice(1) { Collective = processes };
                Trainer.Open(TinyCorpus.Recipe($"training.seed={processes.Rank}"), folder.At("run"), device).Dispose();
                return 0;
            }),
            Throws.TypeOf<DataFormatException>().With.Message.Contains("different recipes"));
        Assert.That(File.Exists(new RunFolder(folder.At("run")).Recipe), Is.False);
    }

    [TestCase("objective.kind=moco objective.queueSize=64 objective.keyGroup=16", "objective.keyGroup = 16 makes 1 groups")]
    [TestCase("objective.kind=supervised objective.mix.kind=input", "objective.mix.kind = input")]
    [TestCase("features.preset=kaldi-fbank80 features.dither=1", "features.dither = 1")]
    [TestCase("training.batch=7", "training.batch = 7")]
    public void What_ranks_cannot_share_is_refused_in_one_sentence(string options, string field)
    {
        using var folder = new TemporaryFolder();
        Assert.That(
            () => ThreadCollective.Run(2, processes =>
            {
                using var device = new CpuDevice(1) { Collective = processes };
                Trainer.Open(TinyCorpus.Recipe(options.Split(' ')), folder.At("run"), device).Dispose();
                return 0;
            }),
            Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith(field).And.Message.Contains("2"));
    }

    private static double Difference(float[] got, float[] want) => TensorPrimitives.Distance<float>(got, want) / TensorPrimitives.Norm<float>(want);

    private static Run Course(Recipe recipe, Collective processes)
    {
        using var device = new CpuDevice(1) { Collective = processes };
        using var pipeline = new TrainingPipeline(recipe, device, null, CancellationToken.None);
        float[] losses = new float[Steps], gradients = [], moves = Samples.Read(pipeline.Parameters.Values);
        for (int step = 0; step < Steps; step++)
        {
            losses[step] = pipeline.Step(step).Loss;
            gradients = step == 0 ? Samples.Read(pipeline.Parameters.Gradients) : gradients;
        }

        TensorPrimitives.Subtract(Samples.Read(pipeline.Parameters.Values), moves, moves);
        return new Run(losses, gradients, moves);
    }

    private sealed record Run(float[] Losses, float[] Gradients, float[] Moves);
}
