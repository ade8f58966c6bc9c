using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Features;
using Spk.Tests.Ops.Loss;
using Spk.Tests.Support;
using Spk.Tests.TrainingRuns;
using Spk.Training;
using Spk.Training.Objectives;
using MarginKind = Spk.Engine.Ops.Loss.MarginKind;

namespace Spk.Tests.Objectives;

/// <summary>A first step on dialogues, from features to gradients, on every device against f64: AvA of two utterances at its usual scale.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class DialogueStepTests(TestDevice on)
{
    [Test]
    public void Loss_and_gradients_are_those_of_f64()
    {
        var recipe = TinyCorpus.Recipe(
            "data.rows=dialogues", "objective.kind=ava", "training.batch=4", "data.cropSeconds=0.25", "features.bins=16", "encoder.width=8", "encoder.lastWidth=8");
        using var device = on.Open();
        using var pipeline = new TrainingPipeline(recipe, device, null, CancellationToken.None);
        var objective = pipeline.Objective;
        var batch = pipeline.Batches.Read(0, 0);
        var features = new FeatureExtractor(device, recipe.Features.Spec).Compute(batch.Waves, recipe.Training.Seed, 0);
        objective.Prepare(batch, default);
        var tape = new Tape();
        var loss = objective.Loss(tape, new StepFeatures(features));
        objective.Parameters.ZeroGradients();
        tape.Backward(loss);

        var weights = objective.Parameters.Trainable.ToDictionary(
            p => p.Name.Replace("encoder.", "", StringComparison.Ordinal), p => Samples.ToDouble(Samples.Read(p.Value)), StringComparer.Ordinal);
        var frames = new Frames(features.Shape[0], features.Shape[1], features.Shape[2], Samples.ToDouble(Samples.Read(features)));
        double Want()
        {
            double[] rows = ModelReference.Embed(recipe.ResolvedEncoder, frames, weights);
            return LossReference.NtXent(rows[..(rows.Length / 2)], rows[(rows.Length / 2)..], recipe.Encoder.EmbeddingSize, 1 / weights["objective.scale"][0], true, MarginKind.None, 0);
        }

        double want = Want();
        Assert.That(Samples.Read(loss)[0], Is.EqualTo(want).Within(2e-5 * want));

        // In units of the largest gradient of all: that of a bias which a batch norm cancels is 0 but for rounding.
        double largest = Samples.Read(objective.Parameters.Gradients).Max(Math.Abs);
        foreach (string name in new[] { "frames.0.conv.bias", "segment.linear.bias", "embedding.bias", "objective.scale" })
        {
            var parameter = objective.Parameters.Trainable.Single(p => p.Name.Replace("encoder.", "", StringComparison.Ordinal) == name);
            double[] values = weights[name];
            double[] differences = GradientCheck.Differences([values], 0, _ => Want());
            Close.Assert(Samples.Read(parameter.Value.Grad!), differences, 1e-4 * largest, name);
        }
    }
}
