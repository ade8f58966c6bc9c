using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// COLA (Saeed, Grangier and Zeghidour, "Contrastive learning of general-purpose audio representations", arXiv:2010.10915): two crops of
/// a recording find each other by a learned bilinear similarity.
/// </summary>
/// <remarks>s_ij = g_iᵀ·W·g'_j with no temperature and no normalisation; L = mean over i of −log softmax over j of s_ii.</remarks>
public static class BilinearContrast
{
    /// <summary>Returns the mean loss and records the steps on <paramref name="tape"/>.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="queries">g, f32 [N, D].</param>
    /// <param name="keys">g', f32 [M, E], M no smaller than N; row i is the positive of query i.</param>
    /// <param name="weight">W [D, E].</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The shapes do not fit each other.</exception>
    public static Tensor Forward(Tape? tape, Tensor queries, Tensor keys, Parameter weight) => Forward(tape, queries, keys, weight, out _);

    /// <inheritdoc cref="Forward(Tape?, Tensor, Tensor, Parameter)"/>
    /// <param name="tape">Where the backward steps are recorded; null for inference.</param>
    /// <param name="queries">g, f32 [N, D].</param>
    /// <param name="keys">g', f32 [M, E], M no smaller than N; row i is the positive of query i.</param>
    /// <param name="weight">W [D, E].</param>
    /// <param name="accuracy">Share of queries that find their positive, f32 [1], 0 to 1.</param>
    public static Tensor Forward(Tape? tape, Tensor queries, Tensor keys, Parameter weight, out Tensor accuracy)
    {
        ArgumentNullException.ThrowIfNull(queries);
        ArgumentNullException.ThrowIfNull(keys);
        ArgumentNullException.ThrowIfNull(weight);
        if (queries.Shape.Rank != 2 || keys.Shape.Rank != 2 || keys.Shape[0] < queries.Shape[0] || weight.Shape != new Shape(queries.Shape[1], keys.Shape[1]))
        {
            throw new ShapeException(
                $"A bilinear contrast needs queries [N, D], keys [M, E] with M >= N and a weight [D, E]; given {queries.Shape}, {keys.Shape} and {weight.Shape}.");
        }

        var projected = MatMul.Forward(tape, queries, weight.Value);
        return CrossEntropy.Forward(tape, MatMul.Forward(tape, projected, keys, transposeB: true), labels: null, mix: null, out accuracy);
    }
}
