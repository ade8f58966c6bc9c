using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Tests.TrainingRuns;
using Spk.Training;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Positives;
using Spk.Training.Recipes;

namespace Spk.Tests.Recipes;

/// <summary>The recipes that come with the library: published sizes and small ones.</summary>
public class ShippedRecipeTests
{
    // Sizes and lengths only: what kind of thing is trained, and how, stays the recipe's.
    private static readonly string[] Small =
    [
        "training.batch=8", "encoder.embeddingSize=8", "objective.queueSize=16", "objective.distill.hidden=16", "objective.distill.bottleneck=8",
        "objective.distill.prototypes=24", "data.cropSeconds=0.5", "data.localSeconds=0.35", "ssps.startEpoch=1", "ssps.clusters=6", "ssps.queueSize=40",
        "ssps.referenceSeconds=0.5", "data.limitUtterances=2", "evaluation.everyEpochs=0",
    ];

    public static IReadOnlyList<string> Names => ShippedRecipes.Names;

    // Two batches an epoch: the third step is the first with sampled positives.
    [TestCaseSource(nameof(Names))]
    public void Runs_three_steps(string name)
    {
        var asIs = ShippedRecipes.Load(name);
        string[] width = asIs.Encoder.Kind == "ecapa" ? ["encoder.width=16", "encoder.lastWidth=24", "encoder.bottleneck=4"] : asIs.Encoder.Kind is "resnet" or "gru" ? ["encoder.width=8"] : ["encoder.width=8", "encoder.lastWidth=16"];
        string[] group = asIs.Objective.KeyGroup > 0 ? ["objective.keyGroup=4"] : [];
        string[] rows = asIs.Data.Rows == RowSource.Utterances ? [] : ["data.limitUtterances=0", "data.limitSpeakers=0"];
        string[] labels = asIs.Rounds.Count > 0 ? [$"data.labels.file={TinyCorpus.Labels}"] : [];
        var recipe = ShippedRecipes.Load(name, [.. Small, .. labels, .. width, .. group, .. rows, $"data.root={TinyCorpus.Root}", "training.maximumSteps=3"]);
        string folder = Directory.CreateTempSubdirectory("spk-shipped-").FullName;
        try
        {
            using var device = new CpuDevice(1);
            using var trainer = Trainer.Open(recipe, folder, device);
            var witness = new Witness();
            trainer.Run(witness);
            Assert.That(witness.Steps.Select(s => s.Loss).ToList(), Has.Count.EqualTo(3).And.All.Matches<float>(float.IsFinite));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [TestCaseSource(nameof(Names))]
    public void Is_named_like_its_file(string name) => Assert.That(ShippedRecipes.Load(name).Name, Is.EqualTo(name));

    [Test]
    public void There_is_one_of_every_published_system()
    {
        var published = ShippedRecipes.Names.Where(n => n.StartsWith("voxceleb2-", StringComparison.Ordinal)).Select(n => ShippedRecipes.Load(n)).ToList();
        Assert.That(
            published.Select(r => (r.Objective.Kind, r.Encoder.Kind, Sampled: r.Ssps.Source != PositiveSource.SameUtterance)).Distinct(),
            Is.SupersetOf(new (ObjectiveKind, string, bool)[]
            {
                (ObjectiveKind.SimClr, "resnet", false), (ObjectiveKind.SimClr, "ecapa", false), (ObjectiveKind.Moco, "resnet", false), (ObjectiveKind.Moco, "ecapa", false),
                (ObjectiveKind.Dino, "resnet", false), (ObjectiveKind.Dino, "ecapa", false), (ObjectiveKind.SimClr, "ecapa", true), (ObjectiveKind.Dino, "ecapa", true),
                (ObjectiveKind.Supervised, "ecapa", false),
            }));
    }
}
