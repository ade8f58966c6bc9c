using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Element-wise non-linearities.</summary>
public static partial class Activation
{
    /// <summary>Applies a non-linearity to every element.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">Any f32 tensor; a channel view is fine.</param>
    /// <param name="kind">Which function.</param>
    /// <param name="slope">Slope of leaky ReLU below 0; unused by the others.</param>
    /// <param name="output">
    /// Where to write, of x's shape; null for a new tensor. <paramref name="x"/> itself replaces it, which every function but
    /// GELU allows (its slope follows from the result), where no recorded backward step reads the old x: the output of a
    /// batch norm, a linear map or a convolution.
    /// </param>
    /// <returns>f(x), of x's shape. A NaN stays a NaN.</returns>
    /// <exception cref="ShapeException">The output does not fit x.</exception>
    /// <exception cref="InvalidOptionException">GELU, or a negative slope, was asked to replace its input.</exception>
    public static Tensor Forward(Tape? tape, Tensor x, ActivationKind kind, float slope = 0.01f, Tensor? output = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        if (output is not null && output.Shape != x.Shape)
        {
            throw new ShapeException($"An activation of {x.Shape} cannot write into an output of shape {output.Shape}.");
        }

        if (ReferenceEquals(x, output) && (kind == ActivationKind.Gelu || (kind == ActivationKind.LeakyRelu && slope < 0f)))
        {
            throw new InvalidOptionException($"{kind} with slope {slope} cannot replace its input: its backward step needs it; give another output.");
        }

        var y = output ?? x.Device.Workspace.Rent(x.Shape);
        if (x.Device is CudaDevice cuda)
        {
            CudaForward(cuda, kind, slope, x, y);
        }
        else
        {
            CpuForward(Cpu.Of(x.Device), kind, slope, x, y);
        }

        if (tape is not null && x.RequiresGrad)
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            node.X = x;
            node.Y = y;
            node.Kind = kind;
            node.Slope = slope;
        }

        return y;
    }

    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Y = null!;
        public ActivationKind Kind;
        public float Slope;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            bool accumulate = false;
            var dx = dy;
            if (ReferenceEquals(X, Y))
            {
                X.GradForWrite(out _);  // The same memory, which is now rewritten, so that what the op behind left with it is forgotten.
            }
            else if (!X.TakeGradient(dy))
            {
                dx = X.GradForWrite(out accumulate);
            }

            if (X.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, Kind, Slope, X, Y, dy, dx, accumulate);
            }
            else
            {
                CpuBackward(Cpu.Of(X.Device), Kind, Slope, X, Y, dy, dx, accumulate);
            }
        }
    }
}
