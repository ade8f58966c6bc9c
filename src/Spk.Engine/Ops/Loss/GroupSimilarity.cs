using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Mean over rows of the mean product with the other rows of their group: (1/N) Σ_i (1/(n_i − 1)) Σ_{a ≠ i of the group of i} h_i·h_a. Of unit rows these
/// are cosines. What <see cref="SupervisedContrast"/> pulls on.
/// </summary>
/// <remarks>dL/dh_i = (2/N) m_i, m_i the mean of the other rows of its group; a row alone in its group adds nothing. Nothing of size N·N is kept.</remarks>
public static partial class GroupSimilarity
{
    /// <summary>Returns the mean product and records the step on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="rows">h, f32 [N, D], contiguous, with an element or more.</param>
    /// <param name="items">R, above 0 and dividing N: row i is one of item i mod R.</param>
    /// <param name="groups">Group of each item, any i32 [R]; null where each is a group of its own.</param>
    /// <returns>One element, f32 [1], in the workspace; −1 to 1 where rows are unit rows.</returns>
    /// <exception cref="ShapeException">The tensors do not fit each other.</exception>
    public static Tensor Forward(Tape? tape, Tensor rows, int items, Tensor? groups)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (rows.Shape.Rank != 2 || rows.Count == 0 || !rows.IsContiguous || items < 1 || rows.Shape[0] % items != 0
            || (groups is not null && (groups.ElementType != ElementType.Int32 || groups.Count != items)))
        {
            throw new ShapeException(
                $"Similarity in groups needs contiguous rows [N, D] with an element or more, R items, R dividing N, and groups i32 [R]; given {rows.Shape}, {items} and {groups?.ElementType} {groups?.Shape}.");
        }

        var loss = rows.Device.Workspace.Rent(new Shape(1));
        var means = rows.Device.Workspace.Rent(rows.Shape);
        if (rows.Device is CudaDevice cuda)
        {
            CudaForward(cuda, rows, items, groups, means, loss);
        }
        else
        {
            CpuForward(Cpu.Of(rows.Device), rows, items, groups, means, loss);
        }

        if (tape is not null && rows.RequiresGrad)
        {
            loss.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.Rows, node.Means, node.Loss) = (rows, means, loss);
        }

        return loss;
    }

    private sealed class Node : TapeNode
    {
        public Tensor Rows = null!, Means = null!, Loss = null!;

        public override void Backward()
        {
            if (Loss.Grad is not { } gradient)
            {
                return;
            }

            var target = Rows.GradForWrite(out bool accumulate);
            if (Loss.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, Means, gradient, target, accumulate);
            }
            else
            {
                CpuBackward(Cpu.Of(Loss.Device), Means, gradient, target, accumulate);
            }
        }
    }
}
