using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Mean over rows of KL(t_i ‖ softmax(l_i)) between constant target distributions and predictions: virtual adversarial training (Miyato et al.,
/// arXiv:1704.03976), consistency under augmentation, and mixup between rows.
/// </summary>
/// <remarks>
/// t_i is the softmax of a row of target logits, or λ_i times that plus (1 − λ_i) times the softmax of a second row. dL/dl_ik = (p_ik − t_ik) / N.
/// Nothing of size N·K is kept. Logarithms are those of the logits, so that no probability needs a floor.
/// </remarks>
public static partial class Divergence
{
    // Floats kept of a row: log softmax of the prediction, of its target and of the second target.
    private const int SavedSize = 3 * 2;

    /// <summary>Returns the mean divergence and records the step on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="targets">Logits of the targets, f32 [R, K], R dividing N: row i mod R is the target of row i. No gradient reaches them.</param>
    /// <param name="logits">Predictions, f32 [N, K], N and K above 0; rows may be strided (channel views).</param>
    /// <param name="mix">Second target rows (0 to R − 1) and weights of the first ones, one a row; null for none.</param>
    /// <returns>One element, f32 [1], in the workspace, in nats; 0 or above but for rounding. On a GPU it is NaN where a second row does not exist.</returns>
    /// <exception cref="ShapeException">The tensors do not fit each other, or a second target row does not exist.</exception>
    public static Tensor Forward(Tape? tape, Tensor targets, Tensor logits, RowMix? mix = null)
    {
        ArgumentNullException.ThrowIfNull(targets);
        ArgumentNullException.ThrowIfNull(logits);
        Check(targets, logits, mix);
        var workspace = logits.Device.Workspace;
        var loss = workspace.Rent(new Shape(1));
        var saved = workspace.Rent(new Shape(logits.Shape[0], SavedSize));
        var pair = new Pair { Targets = targets, Logits = logits, Saved = saved, Second = mix?.Partners, Weights = mix?.Weights };
        if (logits.Device is CudaDevice cuda)
        {
            CudaForward(cuda, pair, loss);
        }
        else
        {
            CpuForward(Cpu.Of(logits.Device), pair, loss);
        }

        if (tape is not null && logits.RequiresGrad)
        {
            loss.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.Pair, node.Loss) = (pair, loss);
        }

        return loss;
    }

    private static void Check(Tensor targets, Tensor logits, RowMix? mix)
    {
        if (logits.Shape.Rank != 2 || targets.Shape.Rank != 2 || logits.Shape[0] < 1 || logits.Shape[1] < 1 || targets.Shape[0] < 1
            || targets.Shape[1] != logits.Shape[1] || logits.Shape[0] % targets.Shape[0] != 0)
        {
            throw new ShapeException(
                $"A divergence needs target logits [R, K] and logits [N, K] with an element or more, R dividing N; given {targets.Shape} and {logits.Shape}.");
        }

        int rows = logits.Shape[0];
        if (mix is { } mixed && (mixed.Partners.ElementType != ElementType.Int32 || mixed.Partners.Count != rows || mixed.Weights.Count != rows))
        {
            throw new ShapeException(
                $"A divergence of {rows} rows from mixed targets needs as many second rows of type Int32 and weights; given {mixed.Partners.ElementType} {mixed.Partners.Shape} and {mixed.Weights.Shape}.");
        }
    }

    private struct Pair
    {
        public Tensor Targets, Logits, Saved;
        public Tensor? Second, Weights;
    }

    private sealed class Node : TapeNode
    {
        public Pair Pair;
        public Tensor Loss = null!;

        public override void Backward()
        {
            if (Loss.Grad is not { } gradient)
            {
                return;
            }

            var target = Pair.Logits.GradForWrite(out bool accumulate);
            if (Loss.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, Pair, gradient, target, accumulate);
            }
            else
            {
                CpuBackward(Cpu.Of(Loss.Device), Pair, gradient, target, accumulate);
            }
        }
    }
}
