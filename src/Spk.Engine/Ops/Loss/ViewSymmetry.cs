using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Symmetry of CAMSAT: the predictions of an item's views are alike, whichever view is which. Each is compared with the mixture of all of them.
/// </summary>
/// <remarks>
/// L = mean over items of (1/V) Σ_v KL(p_v ‖ m), m = Σ_v π_v p_v; with equal weights this is the Jensen-Shannon divergence. Gradients reach
/// predictions and mixture: dL/dl_vk = (1/(N V)) p_vk (c_vk − Σ_j p_vj c_vj), c_vk = log(p_vk / m_k) − π_v Σ_w p_wk / m_k. Of each item the logarithm
/// of the mixture is kept, K floats (2 K with weights).
/// </remarks>
public static partial class ViewSymmetry
{
    // Floats kept of a view of an item: its log softmax and Σ_j p_j c_j.
    private const int SavedSize = 3;

    // A mixture that has underflowed counts as this, so that its logarithm times a probability of 0 is 0.
    private const float SmallestProbability = 1e-37f;

    /// <summary>Returns the mean divergence and records the step on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="logits">f32 [V·N, K], contiguous, view after view: row v·N + i is view v of item i.</param>
    /// <param name="views">V, 2 or more, dividing the rows.</param>
    /// <param name="weights">π, f32 [N, V], above 0, each row of sum 1; null for 1/V.</param>
    /// <returns>One element, f32 [1], in the workspace, in nats: 0 to log V with equal weights.</returns>
    /// <exception cref="ShapeException">The logits are not views of items, or the weights do not fit them.</exception>
    public static Tensor Forward(Tape? tape, Tensor logits, int views, Tensor? weights = null)
    {
        ArgumentNullException.ThrowIfNull(logits);
        if (logits.Shape.Rank != 2 || views < 2 || logits.Shape[0] < views || logits.Shape[0] % views != 0 || logits.Shape[1] < 1 || !logits.IsContiguous)
        {
            throw new ShapeException($"Symmetry of {views} views needs 2 or more, and contiguous logits [views · N, K] with an element or more, not shape {logits.Shape}.");
        }

        int items = logits.Shape[0] / views, classes = logits.Shape[1];
        if (weights is not null && (weights.Shape != new Shape(items, views) || !weights.IsContiguous))
        {
            throw new ShapeException($"Symmetry of {views} views of {items} items needs weights [{items}, {views}], not {weights.Shape}.");
        }

        var workspace = logits.Device.Workspace;
        var loss = workspace.Rent(new Shape(1));
        var saved = new Saved
        {
            Rows = workspace.Rent(new Shape(logits.Shape[0], SavedSize)),
            LogMixture = workspace.Rent(new Shape(items, classes)),
            Ratio = weights is null ? null : workspace.Rent(new Shape(items, classes)),
        };
        if (logits.Device is CudaDevice cuda)
        {
            CudaForward(cuda, logits, views, weights, saved, loss);
        }
        else
        {
            CpuForward(Cpu.Of(logits.Device), logits, views, weights, saved, loss);
        }

        if (tape is not null && logits.RequiresGrad)
        {
            loss.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.Logits, node.Views, node.Weights, node.Saved, node.Loss) = (logits, views, weights, saved, loss);
        }

        return loss;
    }

    private struct Saved
    {
        // [V·N, 3]; log m [N, K]; Σ_w p_w / m [N, K], which is V where the weights are equal.
        public Tensor Rows, LogMixture;
        public Tensor? Ratio;
    }

    private sealed class Node : TapeNode
    {
        public Tensor Logits = null!, Loss = null!;
        public Tensor? Weights;
        public int Views;
        public Saved Saved;

        public override void Backward()
        {
            if (Loss.Grad is not { } gradient)
            {
                return;
            }

            var target = Logits.GradForWrite(out bool accumulate);
            if (Loss.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, Logits, Views, Weights, Saved, gradient, target, accumulate);
            }
            else
            {
                CpuBackward(Cpu.Of(Loss.Device), Logits, Views, Weights, Saved, gradient, target, accumulate);
            }
        }
    }
}
