using NUnit.Framework;
using Spk.Engine.Collectives;
using Spk.Tests.Support;
using Spk.Tests.TrainingRuns;
using Spk.Training;
using Spk.Training.Recipes;

namespace Spk.Tests.Collectives;

/// <summary>Ranks with a GPU each train what one trains: kernels in the emulator, threads in the place of processes and NCCL.</summary>
public class CudaSharedTrainingTests
{
    private const int Steps = 6;

    private static readonly string[] Sizes =
    [
        "training.batch=8", "data.cropSeconds=0.25", "features.bins=16", "encoder.width=8", "encoder.lastWidth=8", "optimizer.kind=sgd", "optimizer.momentum=0",
        "schedule.learningRate=2e-4", "objective.temperature=0.5", "data.limitUtterances=2",
    ];

    // Two steps an epoch: positives are replaced from the third step on.
    private static readonly string[] Sampling = ["ssps.source=clusters", "ssps.startEpoch=1", "ssps.clusters=3", "ssps.queueSize=16", "ssps.referenceSeconds=0.3"];

    public static IEnumerable<TestCaseData> Objectives()
    {
        yield return Case("MoCo, grouped keys, SSPS", [.. Sampling, "objective.kind=moco", "objective.queueSize=16", "objective.keyGroup=4", "objective.momentum.start=0.9"]);
        yield return Case(
            "DINO", "objective.kind=dino", "objective.distill.hidden=8", "objective.distill.bottleneck=6", "objective.distill.prototypes=20", "objective.momentum.start=0.9",
            "data.localViews=1", "data.localSeconds=0.2", "objective.distill.frozenEpochs=0", "data.pairing=random");
        yield return Case("speakers, AAM", "objective.kind=supervised", "objective.marginKind=additiveAngular", "objective.scale=5", "objective.margin=0.1");
        yield return Case("APC", "objective.kind=apc", "encoder.kind=gru", "encoder.layers=2", "data.views=1", "data.pairing=random");

        static TestCaseData Case(string name, params string[] options) => new TestCaseData((object)options).SetArgDisplayNames(name);
    }

    [TestCaseSource(nameof(Objectives))]
    public void Losses_are_those_of_the_joined_batch(string[] options)
    {
        var recipe = TinyCorpus.Recipe([.. Sizes, .. options]);
        double[] one = Course(recipe, Collective.Alone);
        foreach (double[] rank in ThreadCollective.Run(2, processes => Course(recipe, processes)))
        {
            Assert.That(rank[0], Is.EqualTo(one[0]).Within(Tolerance.SharedStep * one[0]), "loss of the first step");
            Close.Assert(rank, one, Tolerance.SharedCourse * one.Min(), "losses");
        }
    }

    private static double[] Course(Recipe recipe, Collective processes)
    {
        using var device = TestDevice.Cuda.First().Open();
        device.Collective = processes;
        using var pipeline = new TrainingPipeline(recipe, device, null, CancellationToken.None);
        return [.. Enumerable.Range(0, Steps).Select(step => (double)pipeline.Step(step).Loss)];
    }
}
