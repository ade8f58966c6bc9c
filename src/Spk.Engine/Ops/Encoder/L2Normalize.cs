using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Scales every row of a matrix to unit Euclidean length.</summary>
/// <remarks>A zero row stays zero; a row that holds a NaN becomes NaN throughout.</remarks>
public static partial class L2Normalize
{
    /// <summary>y = x / max(‖x‖, eps), row by row.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">Embeddings, f32 [N, D].</param>
    /// <param name="eps">Smallest divisor, above 0, in the units of <paramref name="x"/>.</param>
    /// <returns>Unit rows, f32 [N, D]. Below eps the gradient is dy / eps, as PyTorch's normalize has it.</returns>
    /// <exception cref="ShapeException">x is not a matrix.</exception>
    public static Tensor Forward(Tape? tape, Tensor x, float eps = 1e-12f)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Shape.Rank != 2)
        {
            throw new ShapeException($"L2 normalise needs embeddings [N, D], not shape {x.Shape}.");
        }

        var y = x.Device.Workspace.Rent(x.Shape);
        var lengths = x.Device.Workspace.Rent(new Shape(x.Shape[0]));
        if (x.Device is CudaDevice cuda)
        {
            CudaForward(cuda, x, y, lengths, eps);
        }
        else
        {
            CpuForward(Cpu.Of(x.Device), x, y, lengths, eps);
        }

        if (tape is not null && x.RequiresGrad)
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            node.X = x;
            node.Y = y;
            node.Lengths = lengths;
            node.Eps = eps;
        }

        return y;
    }

    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Y = null!, Lengths = null!;
        public float Eps;

        public override void Backward()
        {
            if (Y.Grad is { } dy)
            {
                var dx = X.GradForWrite(out bool accumulate);
                if (X.Device is CudaDevice cuda)
                {
                    CudaBackward(cuda, Y, Lengths, dy, dx, Eps, accumulate);
                }
                else
                {
                    CpuBackward(Cpu.Of(X.Device), Y, Lengths, dy, dx, Eps, accumulate);
                }
            }
        }
    }
}
