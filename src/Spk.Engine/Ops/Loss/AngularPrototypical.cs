using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// Angular prototypical loss, A-Proto (Chung et al. 2020): the first utterance of a speaker or dialogue finds the mean of its others among
/// those of all. A composition over <see cref="SimilaritySoftmax"/>; with two utterances it is NT-Xent in one direction, τ = 1/w.
/// </summary>
public static class AngularPrototypical
{
    /// <summary>L = 1/N Σ_j −log softmax_k(w·cos(q_j, c_k))_j, with c_k the mean of the utterances of k but the first.</summary>
    /// <remarks>An offset b of the logits cancels in the softmax: it is no argument, and its gradient would be 0.</remarks>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="rows">Embeddings, f32 [M·N, D]: utterance 1 of all N dialogues, then utterance 2 of all, and so on.</param>
    /// <param name="utterances">M, 2 or more.</param>
    /// <param name="scale">w, f32 [1], usually learned from 10; used as max(w, 1e-6).</param>
    /// <param name="weights">Constant weight of each dialogue's loss, f32 [N], or null; the mean divides by N all the same.</param>
    /// <param name="normalizeFirst">Whether utterances are made unit rows before they are averaged.</param>
    /// <returns>One element, f32 [1], in the workspace.</returns>
    /// <exception cref="ShapeException">The rows are not M for each dialogue, or scale or weights do not fit.</exception>
    public static Tensor Forward(Tape? tape, Tensor rows, int utterances, Tensor scale, Tensor? weights = null, bool normalizeFirst = true)
    {
        int dialogues = DialogueRows.Count(rows, utterances);

        // A sum points where the mean points; of one utterance it is that utterance.
        var members = normalizeFirst && utterances > 2 ? L2Normalize.Forward(tape, rows) : rows;
        var prototypes = members.Slice(dialogues, dialogues);
        for (int u = 2; u < utterances; u++)
        {
            prototypes = Add.Forward(tape, prototypes, members.Slice(u * dialogues, dialogues));
        }

        return SimilaritySoftmax.Forward(
            tape, rows.Slice(0, dialogues), prototypes, new SimilaritySoftmaxOptions { Scale = scale, AnchorWeights = weights });
    }
}
