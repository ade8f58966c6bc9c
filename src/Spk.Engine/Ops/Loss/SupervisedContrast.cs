using System.Globalization;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// SupCon (Khosla et al., "Supervised contrastive learning", arXiv:2004.11362): every view of an item finds all views of the items of its group among
/// all other rows.
/// </summary>
/// <remarks>
/// Its logarithm of a sum is that of <see cref="AllVersusAll"/>, whose positives are an item's own views; the difference between these and all of the
/// group is linear in the cosines: two <see cref="GroupSimilarity"/>. So nothing of size N·N is kept.
/// </remarks>
public static class SupervisedContrast
{
    /// <summary>
    /// L = mean over rows i of (1/|A(i)|) Σ_{a of A(i)} −log(e^{s_ia} / Σ_{r ≠ i} e^{s_ir}), s = cos / τ, A(i) the other rows of the group of i.
    /// </summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="rows">f32 [V·N, D]: view 1 of all N items, then view 2 of all, and so on. Need not be unit rows.</param>
    /// <param name="views">V, 2 or more.</param>
    /// <param name="groups">Group of each item, any i32 [N].</param>
    /// <param name="temperature">τ, above 0.</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The rows are not V for each item, or the groups not one an item.</exception>
    /// <exception cref="InvalidOptionException">The temperature is not above 0.</exception>
    public static Tensor Forward(Tape? tape, Tensor rows, int views, Tensor groups, float temperature)
    {
        ArgumentNullException.ThrowIfNull(rows);
        ArgumentNullException.ThrowIfNull(groups);
        if (views < 2 || rows.Shape.Rank != 2 || rows.Shape[0] != views * groups.Count)
        {
            throw new ShapeException($"SupCon needs 2 views or more, rows [V·N, D] and groups [N]; given {views}, {rows.Shape} and {groups.Shape}.");
        }

        if (!(temperature > 0) || !float.IsFinite(temperature))
        {
            throw new InvalidOptionException(string.Create(CultureInfo.InvariantCulture, $"temperature = {temperature}: SupCon needs one above 0."));
        }

        var scale = rows.Device.Workspace.Rent(new Shape(1));
        rows.Device.Fill(scale, 1 / temperature);
        var own = AllVersusAll.Forward(tape, rows, views, scale, ownAreNegatives: true);
        var unit = L2Normalize.Forward(tape, rows);
        return WeightedSum.Forward(
            tape, [own, GroupSimilarity.Forward(tape, unit, groups.Count, groups: null), GroupSimilarity.Forward(tape, unit, groups.Count, groups)],
            [1, 1 / temperature, -1 / temperature]);
    }
}
