using Spk.Engine.Autograd;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>Mean absolute difference of two tensors; the gradient of a difference of 0 is 0.</summary>
public static partial class L1
{
    /// <summary>L = mean over all elements of |x − y|, that of row r times its weight.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">f32 [..., C]; may be a channel view.</param>
    /// <param name="target">y, of the same shape; may be a channel view. It gets a gradient where it requires one.</param>
    /// <param name="weights">Constant weight of each row, f32, one a row, or null; the mean divides by the number of elements all the same.</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The shapes differ, there is no element, or the weights are not one a row.</exception>
    public static Tensor Forward(Tape? tape, Tensor x, Tensor target, Tensor? weights = null) => ElementLosses.Forward<Absolute>(tape, x, target, weights);

    /// <summary>The loss of predictions of features some frames ahead (autoregressive predictive coding, Chung et al., arXiv:1904.03240).</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="predictions">f32 [N, T, C], contiguous; frame t predicts frame t + ahead, and the last frames predict nothing.</param>
    /// <param name="features">f32 [N, T, C], contiguous. It gets a gradient where it requires one.</param>
    /// <param name="ahead">Frames from a prediction to what it predicts, 0 to T − 1.</param>
    /// <returns>Mean over what is predicted, one element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The shapes differ, are not [N, T, C], or leave no frame to predict.</exception>
    public static Tensor Ahead(Tape? tape, Tensor predictions, Tensor features, int ahead)
    {
        ArgumentNullException.ThrowIfNull(predictions);
        ArgumentNullException.ThrowIfNull(features);
        if (predictions.Shape.Rank != 3 || predictions.Shape != features.Shape || ahead < 0 || ahead >= predictions.Shape[1])
        {
            throw new ShapeException(
                $"A prediction {ahead} frames ahead needs predictions and features of one shape [N, T, C] with more frames; given {predictions.Shape} and {features.Shape}.");
        }

        // Frames of an utterance lie behind each other, so that a run of them is a view of some columns of [N, T · C].
        int frames = predictions.Shape[1], channels = predictions.Shape[2];
        var rows = new Shape(predictions.Shape[0], frames * channels);
        var workspace = predictions.Device.Workspace;
        int count = (frames - ahead) * channels;
        return Forward(tape, workspace.Reshape(predictions, rows).Channels(0, count), workspace.Reshape(features, rows).Channels(ahead * channels, count));
    }

    private readonly partial struct Absolute : IElementLoss;
}
