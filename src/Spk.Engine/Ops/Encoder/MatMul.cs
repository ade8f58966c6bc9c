using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Product of two matrices.</summary>
/// <remarks>Every element is summed over the inner length in a fixed order: the same bits for every thread count.</remarks>
public static partial class MatMul
{
    /// <summary>Returns A·B, with either operand transposed if asked.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="a">f32 [M, K], or [K, M] with <paramref name="transposeA"/>. Rows may be strided (channel views).</param>
    /// <param name="b">f32 [K, N], or [N, K] with <paramref name="transposeB"/>.</param>
    /// <param name="transposeA">Use the transpose of <paramref name="a"/>.</param>
    /// <param name="transposeB">Use the transpose of <paramref name="b"/>.</param>
    /// <returns>f32 [M, N] in the workspace.</returns>
    /// <exception cref="ShapeException">An operand is not a matrix, or the inner lengths differ.</exception>
    public static Tensor Forward(Tape? tape, Tensor a, Tensor b, bool transposeA = false, bool transposeB = false)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (a.Shape.Rank != 2 || b.Shape.Rank != 2 || a.Shape[transposeA ? 0 : 1] != b.Shape[transposeB ? 1 : 0])
        {
            throw new ShapeException(
                $"MatMul needs matrices of one inner length; given {a.Shape}{(transposeA ? " transposed" : "")} and {b.Shape}{(transposeB ? " transposed" : "")}.");
        }

        var y = a.Device.Workspace.Rent(new Shape(a.Shape[transposeA ? 1 : 0], b.Shape[transposeB ? 0 : 1]));
        Multiply(a, transposeA, b, transposeB, y, accumulate: false);
        if (tape is not null && (a.RequiresGrad || b.RequiresGrad))
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.A, node.B, node.Y, node.TransposeA, node.TransposeB) = (a, b, y, transposeA, transposeB);
        }

        return y;
    }

    private static void Multiply(Tensor a, bool transposeA, Tensor b, bool transposeB, Tensor y, bool accumulate)
    {
        if (y.Device is CudaDevice cuda)
        {
            CudaMultiply(cuda, a, transposeA, b, transposeB, y, accumulate);
        }
        else
        {
            CpuMultiply(Cpu.Of(y.Device), a, transposeA, b, transposeB, y, accumulate);
        }
    }

    private sealed class Node : TapeNode
    {
        public Tensor A = null!, B = null!, Y = null!;
        public bool TransposeA, TransposeB;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            if (A.RequiresGrad)
            {
                // d op(A) = dY op(B)^T; the transpose of that where A itself was transposed.
                var da = A.GradForWrite(out bool adds);
                if (TransposeA)
                {
                    Multiply(B, TransposeB, dy, true, da, adds);
                }
                else
                {
                    Multiply(dy, false, B, !TransposeB, da, adds);
                }
            }

            if (B.RequiresGrad)
            {
                var db = B.GradForWrite(out bool adds);
                if (TransposeB)
                {
                    Multiply(dy, true, A, TransposeA, db, adds);
                }
                else
                {
                    Multiply(A, !TransposeA, dy, false, db, adds);
                }
            }
        }
    }
}
