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

    private readonly partial struct Absolute : IElementLoss;
}
