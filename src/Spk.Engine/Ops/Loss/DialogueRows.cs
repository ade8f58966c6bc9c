using System.Globalization;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>Rows of M utterances of N dialogues, utterance after utterance: what the losses over dialogues take.</summary>
internal static class DialogueRows
{
    /// <summary>N, after checking that there are M rows for each.</summary>
    public static int Count(Tensor rows, int utterances)
    {
        ArgumentNullException.ThrowIfNull(rows);
        if (utterances < 2)
        {
            throw new ShapeException(
                $"A loss over dialogues needs at least 2 utterances of each, not {utterances.ToString(CultureInfo.InvariantCulture)}.");
        }

        if (rows.Shape.Rank != 2 || rows.Shape[0] == 0 || rows.Shape[0] % utterances != 0 || rows.Shape[1] == 0)
        {
            throw new ShapeException(
                $"A loss over dialogues of {utterances.ToString(CultureInfo.InvariantCulture)} utterances needs rows [M·N, D] of as many for each; given {rows.Shape}.");
        }

        return rows.Shape[0] / utterances;
    }
}
