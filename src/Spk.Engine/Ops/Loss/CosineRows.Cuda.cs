using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// The products around a kernel that turns rows of cosines into derivatives in place: for losses that need all cosines of a row at once, a block
/// of rows at a time.
/// </summary>
internal static unsafe class CudaCosineRows
{
    /// <summary>Cosines [count, candidates] of some unit rows, never rounded.</summary>
    public static void Cosines(CudaDevice cuda, Tensor unit, Tensor candidates, int start, int count, Tensor tile)
    {
        var before = cuda.Workspace.Position;
        int others = candidates.Shape[0];
        CudaGemm.Multiply(cuda, Rows(unit, start, count), Rows(candidates, 0, others).Transposed, tile.Data, others, accumulate: false, precision: Precision.Fp32);

        // What a product splits and adds up is free for the next one: the stream runs them in order.
        cuda.Workspace.Advance(before);
    }

    /// <summary>Gradients by the unit rows from the derivatives of the block; those by the candidates add up over blocks. Null where none is wanted.</summary>
    public static void Gradients(
        CudaDevice cuda, Tensor tile, int start, int count, Tensor unit, Tensor candidates, Tensor? unitGradient, Tensor? candidateGradient)
    {
        var before = cuda.Workspace.Position;
        int others = candidates.Shape[0], width = unit.Shape[1];
        var derivatives = MatrixView.Of(tile.Data, count, others, others);
        if (candidateGradient is not null)
        {
            CudaGemm.Multiply(
                cuda, derivatives.Transposed, Rows(unit, start, count), candidateGradient.Data, width, accumulate: start > 0, precision: Precision.Fp32);
        }

        if (unitGradient is not null)
        {
            CudaGemm.Multiply(
                cuda, derivatives, Rows(candidates, 0, others), unitGradient.Data + ((nint)start * width), width, accumulate: false, precision: Precision.Fp32);
        }

        cuda.Workspace.Advance(before);
    }

    private static MatrixView Rows(Tensor matrix, int start, int count) =>
        MatrixView.Of(matrix.Data + ((nint)start * matrix.Shape[1]), count, matrix.Shape[1], matrix.Shape[1]);
}
