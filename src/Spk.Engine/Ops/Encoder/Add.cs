using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Element-wise sum of two tensors, and its special case, the copy of one tensor into a view of another.</summary>
public static partial class Add
{
    /// <summary>a + b.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="a">Any f32 tensor; a channel view is fine.</param>
    /// <param name="b">A tensor of the same shape.</param>
    /// <param name="output">
    /// Where to write; null for a new tensor. <paramref name="a"/> itself adds in place: a is then the sum for every op
    /// recorded later, and its gradient serves both. This needs an a whose old value no recorded backward step reads, such as
    /// the output of a batch norm or a convolution.
    /// </param>
    /// <returns>The sum.</returns>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public static Tensor Forward(Tape? tape, Tensor a, Tensor b, Tensor? output = null)
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        if (a.Shape != b.Shape || (output is not null && output.Shape != a.Shape))
        {
            throw new ShapeException($"A sum needs equal shapes, not {a.Shape}, {b.Shape} and output {output?.Shape ?? a.Shape}.");
        }

        var y = output ?? a.Device.Workspace.Rent(a.Shape);
        Sum(a, b, y);
        if (tape is not null && (a.RequiresGrad || b.RequiresGrad))
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            node.A = a;
            node.B = b;
            node.Y = y;
        }

        return y;
    }

    /// <summary>Copies a tensor, for example into a channel view of a wider one.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">Any f32 tensor; a channel view is fine.</param>
    /// <param name="output">Where to write, of x's shape.</param>
    /// <returns><paramref name="output"/>.</returns>
    /// <exception cref="ShapeException">The shapes differ.</exception>
    public static Tensor Copy(Tape? tape, Tensor x, Tensor output)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(output);
        if (x.Shape != output.Shape)
        {
            throw new ShapeException($"A tensor of shape {x.Shape} cannot be copied into one of shape {output.Shape}.");
        }

        CopyRows(x, output);
        if (tape is not null && x.RequiresGrad)
        {
            output.RequiresGrad = true;
            var node = tape.Record<CopyNode>();
            node.X = x;
            node.Y = output;
        }

        return output;
    }

    private static void Sum(Tensor a, Tensor b, Tensor y)
    {
        if (y.Device is CudaDevice cuda)
        {
            CudaForward(cuda, a, b, y);
        }
        else
        {
            CpuForward(Cpu.Of(y.Device), a, b, y);
        }
    }

    private static void CopyRows(Tensor x, Tensor y)
    {
        if (y.Device is CudaDevice cuda)
        {
            CudaCopy(cuda, x, y);
        }
        else
        {
            CpuCopy(Cpu.Of(y.Device), x, y);
        }
    }

    /// <summary>Gives an input the gradient dy, or adds it to what is there; nothing where the input wants none.</summary>
    internal static void Pass(Tensor input, Tensor dy)
    {
        if (!input.RequiresGrad)
        {
            return;
        }

        var gradient = input.GradForWrite(out bool accumulate);
        if (accumulate)
        {
            Sum(gradient, dy, gradient);
        }
        else
        {
            CopyRows(dy, gradient);
        }
    }

    private sealed class Node : TapeNode
    {
        public Tensor A = null!, B = null!, Y = null!;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            if (!ReferenceEquals(A, Y))
            {
                Pass(A, dy);
            }

            Pass(B, dy);
        }
    }

    private sealed class CopyNode : TapeNode
    {
        public Tensor X = null!, Y = null!;

        public override void Backward()
        {
            if (Y.Grad is { } dy)
            {
                Pass(X, dy);
            }
        }
    }
}
