using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Affine map of the last axis: y = x·Wᵀ + b. A convolution of kernel 1 is this op over all frames.</summary>
public static partial class Linear
{
    /// <summary>Applies the map to every row.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">f32 [..., in]; rows may be strided (channel views).</param>
    /// <param name="weight">f32 [out, in].</param>
    /// <param name="bias">f32 [out], or null for none.</param>
    /// <param name="output">Where to write, [..., out]; may be a channel view, and must not overlap x. Null rents a tensor.</param>
    /// <param name="norm">A batch norm that follows, whose part in this is done here; null for none.</param>
    /// <returns>f32 [..., out].</returns>
    /// <exception cref="ShapeException">The shapes, or the norm's channels, do not fit each other.</exception>
    /// <exception cref="InvalidOptionException">The norm was not prepared since its last use, or is to be done here and there is a tape.</exception>
    public static Tensor Forward(Tape? tape, Tensor x, Tensor weight, Tensor? bias, Tensor? output = null, BatchNormEpilogue? norm = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        if (weight.Shape.Rank != 2 || x.Shape.Last != weight.Shape[1])
        {
            throw new ShapeException($"Linear needs x [..., in] and weight [out, in]; given {x.Shape} and {weight.Shape}.");
        }

        if (bias is not null && bias.Count != weight.Shape[0])
        {
            throw new ShapeException($"Linear needs a bias of {weight.Shape[0]} elements; given {bias.Shape}.");
        }

        int width = weight.Shape[0];
        var shape = x.Shape.Rank switch
        {
            1 => new Shape(width),
            2 => new Shape(x.Shape[0], width),
            3 => new Shape(x.Shape[0], x.Shape[1], width),
            _ => new Shape(x.Shape[0], x.Shape[1], x.Shape[2], width),
        };
        if (output is not null && output.Shape != shape)
        {
            throw new ShapeException($"Linear writes {shape}; the given output is {output.Shape}.");
        }

        norm?.Check(tape, weight.Shape[0]);
        var y = output ?? x.Device.Workspace.Rent(shape);
        if (x.Device is CudaDevice cuda)
        {
            CudaForward(cuda, x, weight, bias, norm, y);
        }
        else
        {
            CpuForward(Cpu.Of(x.Device), x, weight, new ProductEpilogue(bias, norm), y);
        }

        norm?.Record(y, tape is not null && bias is { RequiresGrad: true });
        if (tape is not null && (x.RequiresGrad || weight.RequiresGrad || bias is { RequiresGrad: true }))
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.X, node.Weight, node.Bias, node.Y) = (x, weight, bias, y);
        }

        return y;
    }

    /// <summary>The gradients of a map's inputs from that of its result: also of a map that an op makes inside.</summary>
    internal static void Backward(Tensor x, Tensor weight, Tensor? bias, Tensor dy)
    {
        if (dy.Device is CudaDevice cuda)
        {
            CudaBackward(cuda, x, weight, bias, dy);
        }
        else
        {
            CpuBackward(Cpu.Of(dy.Device), x, weight, bias, dy);
        }
    }

    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Weight = null!, Y = null!;
        public Tensor? Bias;

        public override void Backward()
        {
            if (Y.Grad is { } dy)
            {
                Linear.Backward(X, Weight, Bias, dy);
            }
        }
    }
}
