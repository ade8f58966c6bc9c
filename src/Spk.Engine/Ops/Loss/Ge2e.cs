using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Generalised end-to-end loss, GE2E (Wan et al. 2018): every utterance finds the centroid of its speaker or dialogue among those of all.
/// Its own centroid leaves it out.
/// </summary>
/// <remarks>
/// S_ik = w·cos(e_i, c_k) + b with c_k the mean over the utterances of k, without e_i where k is its own. Cosines are neither clamped nor
/// cut at 0. The cosines of all utterances with all centroids are kept for the backward pass: 4·M·N² bytes.
/// </remarks>
public static partial class Ge2e
{
    private const float NormFloor = 1e-12f, ScaleFloor = 1e-6f;

    /// <summary>Returns the mean loss over utterances and records the step on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="rows">Embeddings, f32 [M·N, D]: utterance 1 of all N dialogues, then utterance 2 of all, and so on. May be a channel view.</param>
    /// <param name="utterances">M, 2 or more.</param>
    /// <param name="scale">w, f32 [1], usually learned from 10; used as max(w, 1e-6), below which it keeps the gradient at 1e-6.</param>
    /// <param name="offset">b, f32 [1], usually learned from −5; in the softmax form it cancels and its gradient is 0.</param>
    /// <param name="options">Form, centroids, weights.</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The rows are not M for each dialogue, or scale, offset or weights do not fit.</exception>
    public static Tensor Forward(Tape? tape, Tensor rows, int utterances, Tensor scale, Tensor offset, in Ge2eOptions options)
    {
        ArgumentNullException.ThrowIfNull(scale);
        ArgumentNullException.ThrowIfNull(offset);
        int dialogues = DialogueRows.Count(rows, utterances), count = rows.Shape[0], width = rows.Shape[1];
        if (scale.Count != 1 || offset.Count != 1 || (options.Weights is { } weights && (weights.Count == 0 || count % weights.Count != 0)))
        {
            throw new ShapeException(
                $"GE2E needs a scale and an offset of one element and weights whose number divides the {count} rows; given {scale.Shape}, {offset.Shape} and {options.Weights?.Shape}.");
        }

        var workspace = rows.Device.Workspace;
        var loss = workspace.Rent(new Shape(1));
        var work = new Work
        {
            Rows = rows,
            Scale = scale,
            Offset = offset,
            Unit = workspace.Rent(new Shape(count, width)),
            Norms = workspace.Rent(new Shape(count)),
            Centroids = workspace.Rent(new Shape(dialogues, width)),
            CentroidNorms = workspace.Rent(new Shape(dialogues)),
            Others = workspace.Rent(new Shape(count, width)),
            OtherNorms = workspace.Rent(new Shape(count)),
            OwnCosines = workspace.Rent(new Shape(count)),
            OwnGradients = workspace.Rent(new Shape(count)),
            Cosines = workspace.Rent(new Shape(count, CosineProblem.Padded(dialogues))),
            ScalarGradients = workspace.Rent(new Shape(2)),
            Utterances = utterances,
            NormalizesFirst = options.NormalizeFirst,
        };
        if (rows.Device is CudaDevice cuda)
        {
            CudaForward(cuda, work, options, loss);
        }
        else
        {
            CpuForward(Cpu.Of(rows.Device), work, options, loss);
        }

        if (tape is not null && (rows.RequiresGrad || scale.RequiresGrad || offset.RequiresGrad))
        {
            loss.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.Work, node.Loss) = (work, loss);
        }

        return loss;
    }

    // The arguments, and what the forward pass leaves for the backward pass.
    private struct Work
    {
        public Tensor Rows, Scale, Offset;

        /// <summary>Unit rows and the norms of the rows.</summary>
        public Tensor Unit, Norms;

        /// <summary>Unit centroids, and the norms of the sums that they point along.</summary>
        public Tensor Centroids, CentroidNorms;

        /// <summary>By row: the same of the sum of the dialogue's other rows.</summary>
        public Tensor Others, OtherNorms;

        /// <summary>By row: the cosine with its own centroid, and the derivative by it.</summary>
        public Tensor OwnCosines, OwnGradients;

        /// <summary>Cosines with the centroids, then the derivatives by them; 0 at a row's own.</summary>
        public Tensor Cosines;

        /// <summary>Derivatives of the loss by scale and offset.</summary>
        public Tensor ScalarGradients;

        public int Utterances;
        public bool NormalizesFirst;

        public readonly int Dialogues => Centroids.Shape[0];

        public readonly int Count => Unit.Shape[0];

        public readonly int Width => Unit.Shape[1];

        /// <summary>What the centroids are sums of.</summary>
        public readonly Tensor Members => NormalizesFirst ? Unit : Rows;
    }

    private sealed class Node : TapeNode
    {
        public Work Work;
        public Tensor Loss = null!;

        public override void Backward()
        {
            if (Loss.Grad is { } gradient)
            {
                if (Loss.Device is CudaDevice cuda)
                {
                    CudaBackward(cuda, Work, gradient);
                }
                else
                {
                    CpuBackward(Cpu.Of(Loss.Device), Work, gradient);
                }
            }
        }
    }
}
