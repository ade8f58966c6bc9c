using Spk.Engine.Autograd;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// NT-Xent over two views of a batch (Chen et al. 2020), with the margins of NT-Xent-AM and NT-Xent-AAM (Lepage and Dehak
/// 2023, 2024): the everyday face of <see cref="SimilaritySoftmax"/>.
/// </summary>
public static class NtXent
{
    /// <summary>Returns the mean loss of a batch of pairs.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="z1">First views, f32 [B, D]; row i belongs with row i of <paramref name="z2"/>. May be a slice.</param>
    /// <param name="z2">Second views, f32 [B, D].</param>
    /// <param name="temperature">τ, above 0.</param>
    /// <param name="symmetric">True: 2B anchors with 2B − 2 negatives each. False: B anchors of view 1 with B − 1 of view 2.</param>
    /// <param name="margin">Margin on the positive cosine.</param>
    /// <param name="marginValue">m: 0 to 2 (additive) or 0 to π/2 radians (angular).</param>
    /// <param name="collisionLabels">
    /// Speaker of each pair, B integers; pairs of one speaker are then no negatives of each other (an oracle, for diagnosis). Below 0 is
    /// unknown. Empty: no mask.
    /// </param>
    /// <returns>One element, f32 [1].</returns>
    /// <exception cref="ShapeException">The views or the labels do not fit each other.</exception>
    /// <exception cref="InvalidOptionException">Temperature or margin is out of range.</exception>
    public static Tensor Forward(
        Tape? tape,
        Tensor z1,
        Tensor z2,
        float temperature,
        bool symmetric,
        MarginKind margin,
        float marginValue,
        ReadOnlySpan<int> collisionLabels = default) =>
        Forward(tape, z1, z2, temperature, symmetric, margin, marginValue, collisionLabels, out _);

    /// <inheritdoc cref="Forward(Tape?, Tensor, Tensor, float, bool, MarginKind, float, ReadOnlySpan{int})"/>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="z1">First views, f32 [B, D]; row i belongs with row i of <paramref name="z2"/>. May be a slice.</param>
    /// <param name="z2">Second views, f32 [B, D].</param>
    /// <param name="temperature">τ, above 0.</param>
    /// <param name="symmetric">True: 2B anchors with 2B − 2 negatives each. False: B anchors of view 1 with B − 1 of view 2.</param>
    /// <param name="margin">Margin on the positive cosine.</param>
    /// <param name="marginValue">m: 0 to 2 (additive) or 0 to π/2 radians (angular).</param>
    /// <param name="collisionLabels">Speaker of each pair, or empty for no mask.</param>
    /// <param name="statistics">Mean cosines and hit rate of this batch.</param>
    public static Tensor Forward(
        Tape? tape,
        Tensor z1,
        Tensor z2,
        float temperature,
        bool symmetric,
        MarginKind margin,
        float marginValue,
        ReadOnlySpan<int> collisionLabels,
        out SimilarityStatistics statistics)
    {
        ArgumentNullException.ThrowIfNull(z1);
        ArgumentNullException.ThrowIfNull(z2);
        if (z1.Shape != z2.Shape)
        {
            throw new ShapeException($"NT-Xent needs two views of one shape; given {z1.Shape} and {z2.Shape}.");
        }

        Tensor? labels = null;
        if (!collisionLabels.IsEmpty)
        {
            labels = z1.Device.Workspace.Rent(new Shape(collisionLabels.Length), ElementType.Int32);
            labels.CopyIntsFrom(collisionLabels);
        }

        var options = new SimilaritySoftmaxOptions
        {
            Temperature = temperature,
            Symmetric = symmetric,
            Margin = margin,
            MarginValue = marginValue,
            QueryLabels = labels,
        };
        return SimilaritySoftmax.Forward(tape, z1, z2, options, out statistics);
    }
}
