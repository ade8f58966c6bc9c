using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;

namespace Spk.Training.Alignment;

/// <summary>
/// Softmax GE2E (Wan et al. 2018) across two models, as profiles and recordings are compared: every vector of one model finds its speaker among
/// the speakers' centroids in the other model, which leave out the vector's own place; both ways, and the mean of all. A composition over
/// <see cref="SimilaritySoftmax"/>; GE2E's offset cancels.
/// </summary>
internal static class CrossModelContrast
{
    /// <summary>Returns the mean loss.</summary>
    /// <param name="tape">Where the backward steps are recorded; null for none.</param>
    /// <param name="first">Unit rows, f32 [M·N, D]: vector 1 of all N speakers, then vector 2 of all, and so on.</param>
    /// <param name="second">The same vectors in the other model.</param>
    /// <param name="vectors">M, 2 or more.</param>
    /// <param name="scale">w, f32 [1].</param>
    /// <returns>One element, f32 [1].</returns>
    public static Tensor Forward(Tape? tape, Tensor first, Tensor second, int vectors, Tensor scale) => Add.Forward(
        tape, OneWay(tape, first, second, vectors, scale), OneWay(tape, second, first, vectors, scale));

    private static Tensor OneWay(Tape? tape, Tensor profiles, Tensor queries, int vectors, Tensor scale)
    {
        int speakers = profiles.Shape[0] / vectors;
        var options = new SimilaritySoftmaxOptions { Scale = scale, Factor = 0.5f / vectors };
        Tensor? sum = null;
        for (int own = 0; own < vectors; own++)
        {
            // A sum points where the mean points.
            Tensor? centroids = null;
            for (int other = 0; other < vectors; other++)
            {
                if (other != own)
                {
                    var rows = profiles.Slice(other * speakers, speakers);
                    centroids = centroids is null ? rows : Add.Forward(tape, centroids, rows);
                }
            }

            var loss = SimilaritySoftmax.Forward(tape, queries.Slice(own * speakers, speakers), centroids!, options);
            sum = sum is null ? loss : Add.Forward(tape, sum, loss);
        }

        return sum!;
    }
}
