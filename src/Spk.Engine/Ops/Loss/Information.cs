using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Information maximisation of IMSAT (Hu, Miyato, Tokui, Matsumoto and Sugiyama, "Learning discrete representations via information
/// maximizing self-augmented training", arXiv:1702.08720): predictions are sure of each row and use all classes.
/// </summary>
/// <remarks>
/// <para>
/// L = H(Y|X) − μ·H(Y), in nats: H(Y|X) the mean entropy of the rows' softmax p_i, H(Y) that of the marginal p̄. Without a running marginal p̄ is
/// the mean of the p_i, whose entropy cannot exceed the logarithm of the number of rows; with one, p̄ ← (1 − s)·p̄ + s·mean p_i, and the gradient
/// reaches the part of this batch only.
/// </para>
/// <para>
/// dL/dl_ik = (1/N) p_ik [−(log p_ik + H(p_i)) + μ s (log p̄_k − Σ_j p_ij log p̄_j)]. Nothing of size N·K is kept: rows are made again from the logits.
/// </para>
/// </remarks>
public static partial class Information
{
    // Floats kept of a row: its log softmax and its entropy.
    private const int SavedSize = 3;

    // A marginal that has underflowed counts as this, so that its logarithm times a probability of 0 is 0.
    private const float SmallestProbability = 1e-37f;

    /// <summary>Returns the loss and records the step on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="logits">f32 [N, K], N and K above 0; rows may be strided (channel views).</param>
    /// <param name="marginalWeight">μ, 0 or more (4 in IMSAT).</param>
    /// <param name="entropies">H(Y|X), then H(Y), in nats, f32 [2]: without gradient.</param>
    /// <param name="running">The running marginal p̄, f32 [K], a distribution such as 1/K; it is updated. Null for the marginal of the rows alone.</param>
    /// <param name="share">s, weight of this batch in the running marginal, above 0 to 1; 1 without one.</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The logits are no matrix, or the running marginal is not [K].</exception>
    /// <exception cref="InvalidOptionException">A weight is out of range.</exception>
    public static Tensor Forward(Tape? tape, Tensor logits, float marginalWeight, out Tensor entropies, Tensor? running = null, float share = 1)
    {
        ArgumentNullException.ThrowIfNull(logits);
        Check(logits, marginalWeight, running, share);
        var workspace = logits.Device.Workspace;
        int rows = logits.Shape[0], classes = logits.Shape[1];
        var loss = workspace.Rent(new Shape(1));
        entropies = workspace.Rent(new Shape(2));
        var saved = workspace.Rent(new Shape(rows, SavedSize));
        var logMarginal = workspace.Rent(new Shape(classes));
        if (logits.Device is CudaDevice cuda)
        {
            CudaForward(cuda, logits, marginalWeight, running, share, saved, logMarginal, loss, entropies);
        }
        else
        {
            CpuForward(Cpu.Of(logits.Device), logits, marginalWeight, running, share, saved, logMarginal, loss, entropies);
        }

        if (tape is not null && logits.RequiresGrad)
        {
            loss.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.Logits, node.Saved, node.LogMarginal, node.Loss) = (logits, saved, logMarginal, loss);
            node.MarginalFactor = marginalWeight * share;
        }

        return loss;
    }

    private static void Check(Tensor logits, float marginalWeight, Tensor? running, float share)
    {
        if (logits.Shape.Rank != 2 || logits.Shape[0] < 1 || logits.Shape[1] < 1)
        {
            throw new ShapeException($"Information needs logits [N, K] with an element or more, not shape {logits.Shape}.");
        }

        if (running is not null && (running.ElementType != ElementType.Float32 || running.Shape != new Shape(logits.Shape[1])))
        {
            throw new ShapeException($"Information over {logits.Shape[1]} classes needs a running marginal of as many elements, not {running.ElementType} {running.Shape}.");
        }

        if (!(marginalWeight >= 0) || !float.IsFinite(marginalWeight) || !(share is > 0 and <= 1) || (running is null && share != 1))
        {
            throw new InvalidOptionException(
                FormattableString.Invariant($"Information needs a marginal weight of 0 or more, and a batch's share above 0 to 1 (1 without a running marginal); given {marginalWeight} and {share}."));
        }
    }

    private sealed class Node : TapeNode
    {
        public Tensor Logits = null!, Saved = null!, LogMarginal = null!, Loss = null!;
        public float MarginalFactor;

        public override void Backward()
        {
            if (Loss.Grad is not { } gradient)
            {
                return;
            }

            var target = Logits.GradForWrite(out bool accumulate);
            if (Loss.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, Logits, Saved, LogMarginal, MarginalFactor, gradient, target, accumulate);
            }
            else
            {
                CpuBackward(Cpu.Of(Loss.Device), Logits, Saved, LogMarginal, MarginalFactor, gradient, target, accumulate);
            }
        }
    }
}
