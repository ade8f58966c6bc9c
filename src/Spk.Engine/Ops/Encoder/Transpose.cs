using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Exchanges the last two axes of a batch of matrices: features over time to maps over frequency and time.</summary>
public static partial class Transpose
{
    /// <summary>Transposes every matrix of a batch.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">f32 [N, A, B]; rows may be strided (channel views).</param>
    /// <returns>f32 [N, B, A].</returns>
    /// <exception cref="ShapeException">x has not three axes.</exception>
    public static Tensor Forward(Tape? tape, Tensor x)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (x.Shape.Rank != 3)
        {
            throw new ShapeException($"Transpose needs [N, A, B], not shape {x.Shape}.");
        }

        var y = x.Device.Workspace.Rent(new Shape(x.Shape[0], x.Shape[2], x.Shape[1]));
        Run(x, y, accumulate: false);
        if (tape is not null && x.RequiresGrad)
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.X, node.Y) = (x, y);
        }

        return y;
    }

    private static void Run(Tensor from, Tensor to, bool accumulate)
    {
        if (from.Device is CudaDevice cuda)
        {
            CudaRun(cuda, from, to, accumulate);
        }
        else
        {
            CpuRun(Cpu.Of(from.Device), from, to, accumulate);
        }
    }

    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Y = null!;

        public override void Backward()
        {
            if (Y.Grad is { } dy)
            {
                var dx = X.GradForWrite(out bool accumulate);
                Run(dy, dx, accumulate);
            }
        }
    }
}
