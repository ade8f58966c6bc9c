using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Training;
using Spk.Training.Recipes;

namespace Spk.Tests.TrainingRuns;

public class TrainingMemoryTests
{
    [TestCase("objective.kind=simClr")]
    [TestCase("objective.kind=moco", "objective.queueSize=72")]
    [TestCase("objective.kind=dino", "objective.distill.hidden=32", "objective.distill.prototypes=64", "data.localViews=2", "data.localSeconds=0.3", "data.pairing=random")]
    [TestCase("objective.kind=cola", "objective.cola.outputs=32")]
    [TestCase("objective.kind=apc", "encoder.kind=gru", "encoder.lastWidth=64", "data.views=1", "data.pairing=random")]
    public void The_estimate_is_near_what_training_takes(params string[] options)
    {
        string folder = Directory.CreateTempSubdirectory("spk-memory-").FullName;
        try
        {
            var recipe = TinyCorpus.Recipe([.. options, "encoder.width=64", "training.batch=24", "training.maximumSteps=3", "data.augmentation.noiseProbability=0"]);
            var estimate = TrainingMemory.Estimate(recipe);
            using var device = new CpuDevice(1);
            using var trainer = Trainer.Open(recipe, folder, device);
            trainer.Run();
            Assert.That(estimate.Step, Is.EqualTo(device.Memory.Peak).Within(20).Percent);
            Assert.That(estimate.Parameters, Is.EqualTo(device.Memory.Persistent).Within(25).Percent);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    // Ten speakers only: classes beyond them are counted, not trained.
    [Test]
    public void Classes_are_counted()
    {
        var recipe = TinyCorpus.Recipe("objective.kind=supervised", "training.batch=24", "encoder.width=64");
        long without = TrainingMemory.Estimate(recipe).Parameters;
        Assert.That(TrainingMemory.Estimate(recipe, 10).Parameters, Is.GreaterThan(without));

        // Value, gradient and two moments of every weight, and what a step keeps of them.
        var few = TrainingMemory.Estimate(recipe, 10_000);
        var more = TrainingMemory.Estimate(recipe, 20_000);
        Assert.That(more.Parameters - few.Parameters, Is.EqualTo(10_000L * 8 * 4 * 4).Within(1).Percent);
        Assert.That(more.Step, Is.GreaterThan(few.Step));
        string folder = Directory.CreateTempSubdirectory("spk-memory-").FullName;
        try
        {
            using var device = new CpuDevice(1);
            using var trainer = Trainer.Open(recipe with { Training = recipe.Training with { MaximumSteps = 2 } }, folder, device);
            trainer.Run();
            Assert.That(TrainingMemory.Estimate(recipe, 10).Parameters, Is.EqualTo(device.Memory.Persistent).Within(25).Percent);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Test]
    public void Published_sizes_show_before_anything_is_loaded()
    {
        var recipe = ShippedRecipes.Load("voxceleb2-simclr-ssps-ecapa");
        var small = recipe with { Encoder = recipe.Encoder with { Width = 32, LastWidth = 96, EmbeddingSize = 32, Bottleneck = 8 } };
        var estimate = TrainingMemory.Estimate(small);
        Assert.That(estimate.HostPerUtterance, Is.EqualTo(32 * 4));
        Assert.That(estimate.Step, Is.GreaterThan(256L << 20), "512 crops of two seconds");
    }
}
