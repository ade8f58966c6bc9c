using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// All-versus-all loss of dialogues, AvA: every utterance finds each other utterance of its dialogue among all utterances of the others,
/// without centroids. A composition over <see cref="SimilaritySoftmax"/>; with two utterances it is symmetric NT-Xent, τ = 1/w.
/// </summary>
public static class AllVersusAll
{
    /// <summary>
    /// L = mean over utterances i and the others p of its dialogue of −log(e^{s_ip} / (e^{s_ip} + Σ_k e^{s_ik})), s = w·cos, where k runs over the
    /// utterances of other dialogues.
    /// </summary>
    /// <remarks>An offset b of the logits cancels. With M utterances the cosines are computed M − 1 times, once with two.</remarks>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="rows">Embeddings, f32 [M·N, D]: utterance 1 of all N dialogues, then utterance 2 of all, and so on.</param>
    /// <param name="utterances">M, 2 or more.</param>
    /// <param name="scale">w, f32 [1], usually learned from 10; used as max(w, 1e-6).</param>
    /// <param name="weights">
    /// Constant weights, f32 [N] of the dialogues or [M·N] of the utterances, or null; the mean divides by M·N all the same.
    /// </param>
    /// <param name="ownAreNegatives">Whether k also runs over the dialogue's further utterances, as in supervised contrastive learning.</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The rows are not M for each dialogue, or scale or weights do not fit.</exception>
    public static Tensor Forward(Tape? tape, Tensor rows, int utterances, Tensor scale, Tensor? weights = null, bool ownAreNegatives = false)
    {
        int dialogues = DialogueRows.Count(rows, utterances);
        if (utterances == 2)
        {
            var both = new SimilaritySoftmaxOptions { Scale = scale, AnchorWeights = weights, Symmetric = true };
            return SimilaritySoftmax.Forward(tape, rows.Slice(0, dialogues), rows.Slice(dialogues, dialogues), both);
        }

        Tensor? sum = null;
        for (int offset = 1; offset < utterances; offset++)
        {
            var loss = SimilaritySoftmax.Forward(tape, rows, rows, new SimilaritySoftmaxOptions
            {
                Scale = scale,
                AnchorWeights = weights,
                PositiveOffset = offset * dialogues,
                ItemCount = ownAreNegatives ? rows.Shape[0] : dialogues, // Of all rows only the anchor itself has its index.
                Factor = 1f / (utterances - 1),
            });
            sum = sum is null ? loss : Add.Forward(tape, sum, loss);
        }

        return sum!;
    }
}
