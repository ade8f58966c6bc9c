using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Tests.Support;
using Spk.Training;

namespace Spk.Tests.TrainingRuns;

/// <summary>A training step moves the momentum encoder, towards what the optimiser made of the trained one.</summary>
public class MomentumTrainingTests
{
    [TestCase("objective.kind=moco", "objective.queueSize=16", "objective.keyGroup=4")]
    [TestCase("objective.kind=dino", "objective.distill.hidden=8", "objective.distill.bottleneck=6", "objective.distill.prototypes=20", "objective.distill.frozenEpochs=0")]
    public void The_momentum_encoder_follows_the_step(params string[] options)
    {
        const double momentum = 0.75;
        using var folder = new TemporaryFolder();
        using var device = new CpuDevice(2);
        var recipe = TinyCorpus.Recipe([.. options, "objective.momentum.start=0.75", "objective.momentum.curve=constant", "evaluation.everyEpochs=0"]);
        using var trainer = Trainer.Open(recipe, folder.At("run"), device);
        var (trained, following) = (trainer.Pipeline.Parameters, trainer.Pipeline.Objective.MomentumParameters!);
        using var session = new TrainingSession(trainer.Pipeline, new RunFolder(folder.At("run")), 0, null, "cpu");
        for (int step = 0; step < 2; step++)
        {
            float[] before = Samples.Read(following.Values), old = Samples.Read(trained.Values);
            session.Step(step);
            float[] now = Samples.Read(trained.Values), after = Samples.Read(following.Values);
            Assert.That(now, Is.Not.EqualTo(old), "the optimiser moves the trained one");
            Close.Assert(after, before.Zip(now, (b, n) => (momentum * b) + ((1 - momentum) * n)).ToArray(), 1e-6, $"step {step}");
            Assert.That(after, Is.Not.EqualTo(before));
        }
    }
}
