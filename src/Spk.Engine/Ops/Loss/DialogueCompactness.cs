using System.Globalization;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// How alike the utterances of a dialogue are, and weights from it: a dialogue of several speakers is not compact, and its loss counts less
/// (soft rejection). Neither has a gradient: a trainable weight would lower the loss by scattering dialogues.
/// </summary>
public static partial class DialogueCompactness
{
    private const float NormFloor = 1e-12f, DeviationFloor = 1e-6f;

    /// <summary>κ_j, the mean cosine over the pairs of utterances of dialogue j.</summary>
    /// <param name="rows">Embeddings, f32 [M·N, D]: utterance 1 of all N dialogues, then utterance 2 of all, and so on. May be a channel view.</param>
    /// <param name="utterances">M, 2 or more.</param>
    /// <returns>f32 [N], −1 to 1, in the workspace.</returns>
    /// <exception cref="ShapeException">The rows are not M for each dialogue.</exception>
    public static Tensor Forward(Tensor rows, int utterances)
    {
        int dialogues = DialogueRows.Count(rows, utterances);
        var compactness = rows.Device.Workspace.Rent(new Shape(dialogues));
        if (rows.Device is CudaDevice cuda)
        {
            CudaForward(cuda, rows, utterances, compactness);
        }
        else
        {
            CpuForward(Cpu.Of(rows.Device), rows, utterances, compactness);
        }

        return compactness;
    }

    /// <summary>Weights of the dialogues: a_j = σ(slope · (κ_j − threshold)), or another rule of the options.</summary>
    /// <param name="compactness">κ, f32 [N], of <see cref="Forward"/>.</param>
    /// <param name="state">
    /// Running mean and deviation of κ, f32 [2], zeros before the first batch; updated in place, and then used: slope / (deviation + 1e-6), and
    /// the mean as threshold. Null for the options' own threshold.
    /// </param>
    /// <param name="options">Rule, slope, threshold, momentum, scaling.</param>
    /// <param name="slope">
    /// The slope where it changes from step to step, f32 [1] on the device and finite, so that a recorded step stays valid; null for that of the options.
    /// </param>
    /// <returns>f32 [N] in the workspace.</returns>
    /// <exception cref="ShapeException">The state has not two elements, the slope not one, or there is no dialogue.</exception>
    /// <exception cref="InvalidOptionException">Slope or threshold is not finite, or the momentum or the kept share is outside 0 to 1.</exception>
    public static Tensor Weigh(Tensor compactness, Tensor? state, in DialogueWeightOptions options, Tensor? slope = null)
    {
        ArgumentNullException.ThrowIfNull(compactness);
        if (compactness.Shape.Rank != 1 || compactness.Count == 0 || state is { Count: not 2 } || slope is { Count: not 1 })
        {
            throw new ShapeException(
                $"Weights of dialogues need compactness [N], a state of 2 elements and a slope of 1; given {compactness.Shape}, {state?.Shape} and {slope?.Shape}.");
        }

        if (!float.IsFinite(options.Slope) || !float.IsFinite(options.Threshold) || !(options.Momentum is >= 0 and <= 1) || !(options.Kept is > 0 and <= 1))
        {
            throw new InvalidOptionException(string.Create(
                CultureInfo.InvariantCulture,
                $"Weights of dialogues need a finite slope and threshold, a momentum of 0 to 1 and a kept share above 0 to 1; given {options.Slope}, {options.Threshold}, {options.Momentum} and {options.Kept}."));
        }

        var weights = compactness.Device.Workspace.Rent(compactness.Shape);
        if (compactness.Device is CudaDevice cuda)
        {
            CudaWeigh(cuda, compactness, state, options, slope, weights);
        }
        else
        {
            CpuWeigh(compactness, state, options, slope is null ? options.Slope : slope.AsSpan()[0], weights);
        }

        return weights;
    }
}
