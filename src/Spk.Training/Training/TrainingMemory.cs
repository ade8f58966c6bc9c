using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Training.Data;
using Spk.Training.Objectives;
using Spk.Training.Optimization;
using Spk.Training.Positives;
using Spk.Training.Recipes;

namespace Spk.Training;

/// <summary>What a training needs of memory, found before any of it is taken.</summary>
/// <param name="Parameters">Device: parameters, gradients, optimiser state, momentum encoders, queues; bytes.</param>
/// <param name="Step">Device: everything of one step, from waveforms to gradients; bytes.</param>
/// <param name="HostPerUtterance">Host: reference of SSPS of each utterance; bytes. The corpus comes on top where it is not packed.</param>
public sealed record TrainingMemory(long Parameters, long Step, long HostPerUtterance)
{
    // Two sizes give what a step takes at all and what each utterance adds.
    private const int FewUtterances = 2, MoreUtterances = 4;

    /// <summary>All of the device's memory, bytes.</summary>
    public long Device => Parameters + Step;

    /// <summary>
    /// Estimates by taking one step of a recipe with 2 and with 4 utterances of silence, and going on in a straight line. Similarities
    /// of a batch with itself, which are computed in blocks, make it a little too low above some thousand utterances.
    /// </summary>
    /// <param name="recipe">A recipe.</param>
    /// <param name="classes">Classes of a supervised recipe; below 2 where they are not known, and its head is left out.</param>
    /// <exception cref="Spk.Interop.SpkException">The recipe cannot be built, or even the small step does not fit this machine.</exception>
    public static TrainingMemory Estimate(Recipe recipe, int classes = 0)
    {
        ArgumentNullException.ThrowIfNull(recipe);
        var (persistent, few) = Measure(recipe, FewUtterances, classes);
        long more = Measure(recipe, MoreUtterances, classes).Step;
        long each = Math.Max(0, (more - few) / (MoreUtterances - FewUtterances));
        bool samples = recipe.Ssps.Source != PositiveSource.SameUtterance;
        long embedding = (long)recipe.ResolvedEncoder.EmbeddingSize * sizeof(float);
        long stored = !samples ? 0
            : (long)recipe.Ssps.QueueSize * sizeof(float) * recipe.Objective.Kind switch
            {
                ObjectiveKind.Dino => 2 * recipe.Objective.Distill.Bottleneck,
                ObjectiveKind.Moco => 2 * recipe.ResolvedEncoder.EmbeddingSize,
                _ => recipe.ResolvedEncoder.EmbeddingSize,
            };
        return new TrainingMemory(persistent + stored, few + (each * (recipe.Training.Batch - FewUtterances)), samples ? embedding : 0);
    }

    private static (long Persistent, long Step) Measure(Recipe recipe, int batch, int classes)
    {
        using var device = new CpuDevice(0);
        var features = recipe.Features.Spec;
        Tensor Silence(int rows, float seconds)
        {
            int samples = DataSection.Samples(seconds, features.SampleRate);
            device.Workspace.Rent(new Shape(rows, samples));
            return device.Workspace.Rent(new Shape(rows, features.FrameCount(samples), features.Bins));
        }

        // Classes are those of a corpus or of a clustering, which need not be at hand.
        var spec = recipe.Objective with
        {
            Kind = recipe.Objective.Kind == ObjectiveKind.Supervised && classes < 2 ? ObjectiveKind.SimClr : recipe.Objective.Kind,
            OracleMask = false,
            KeyGroup = 0,
        };
        var objective = Objective.Create(spec, new PositiveSamplingSpec(), new ObjectiveContext
        {
            Device = device,
            Encoder = recipe.ResolvedEncoder,
            Labels = classes < 2 ? null : ClassLabels.Unknown(classes),
            Batch = batch,
            Views = 2,
            LocalViews = recipe.Data.LocalViews,
        });
        objective.Allocate(0);
        Optimizer.Create(recipe.Optimizer, objective.Parameters);
        var tape = new Tape();
        device.Workspace.Reset();
        var input = new StepFeatures(
            Silence(batch * 2, recipe.Data.CropSeconds),
            recipe.Data.LocalViews > 0 ? Silence(batch * recipe.Data.LocalViews, recipe.Data.LocalSeconds) : null);
        device.Zero(input.Views);
        if (input.LocalViews is { } local)
        {
            device.Zero(local);
        }

        var silence = new TrainingBatch(batch, 2) { Waves = input.Views };
        objective.Input(silence, default);
        objective.Prepare(silence, default);
        var loss = objective.Loss(tape, input);
        tape.Backward(loss);
        return (device.Memory.Persistent, device.Workspace.UsedBytes * recipe.Data.Views / 2);
    }
}
