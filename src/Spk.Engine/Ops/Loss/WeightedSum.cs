using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>One loss out of several: Σ wᵢ·lᵢ.</summary>
public static partial class WeightedSum
{
    /// <summary>Most terms of a sum.</summary>
    public const int MaximumTerms = 8;

    /// <summary>Adds losses.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="losses">1 to <see cref="MaximumTerms"/> tensors of one f32 element.</param>
    /// <param name="weights">As many finite weights.</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">A loss has more than one element, or the numbers of losses and weights do not fit.</exception>
    public static Tensor Forward(Tape? tape, ReadOnlySpan<Tensor> losses, ReadOnlySpan<float> weights)
    {
        if (losses.Length is 0 or > MaximumTerms || weights.Length != losses.Length)
        {
            throw new ShapeException($"A sum of losses takes 1 to {MaximumTerms} losses and as many weights, not {losses.Length} and {weights.Length}.");
        }

        bool requiresGrad = false;
        foreach (var loss in losses)
        {
            if (loss.Count != 1)
            {
                throw new ShapeException($"A loss has one element, not shape {loss.Shape}.");
            }

            requiresGrad |= loss.RequiresGrad;
        }

        var sum = losses[0].Device.Workspace.Rent(new Shape(1));
        if (sum.Device is CudaDevice cuda)
        {
            CudaForward(cuda, losses, weights, sum);
        }
        else
        {
            CpuForward(losses, weights, sum);
        }

        if (tape is not null && requiresGrad)
        {
            sum.RequiresGrad = true;
            var node = tape.Record<Node>();
            node.Count = losses.Length;
            losses.CopyTo(node.Losses);
            weights.CopyTo(node.Weights);
            node.Sum = sum;
        }

        return sum;
    }

    private sealed class Node : TapeNode
    {
        public readonly Tensor[] Losses = new Tensor[MaximumTerms];
        public readonly float[] Weights = new float[MaximumTerms];
        public int Count;
        public Tensor Sum = null!;

        public override void Backward()
        {
            if (Sum.Grad is not { } dy)
            {
                return;
            }

            for (int i = 0; i < Count; i++)
            {
                if (!Losses[i].RequiresGrad)
                {
                    continue;
                }

                var gradient = Losses[i].GradForWrite(out bool accumulate);
                if (dy.Device is CudaDevice cuda)
                {
                    CudaBackward(cuda, dy, Weights[i], gradient, accumulate);
                }
                else
                {
                    CpuBackward(dy, Weights[i], gradient, accumulate);
                }
            }
        }
    }
}
