using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>
/// Convolution over frequency and time with zeros beyond the borders, channels-last:
/// y[n, i, j, o] = b[o] + Σ_p Σ_q Σ_c w[o, p, q, c] x[n, i·sH + p − padH, j·sW + q − padW, c].
/// </summary>
/// <remarks>Computed as matrix products that read the windows in place; no unfolded copy is made.</remarks>
public static partial class Conv2d
{
    /// <summary>Convolves every map of a batch.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">f32 [N, H, W, Ci], H the frequency and W the time; rows may be strided (channel views).</param>
    /// <param name="weight">f32 [Co, kH, kW, Ci]: the memory order; files hold [Co, Ci, kH, kW].</param>
    /// <param name="bias">f32 [Co], or null.</param>
    /// <param name="strideHeight">Rows of x from one row of the result to the next, 1 or more.</param>
    /// <param name="strideWidth">Columns of x from one column of the result to the next, 1 or more.</param>
    /// <param name="paddingHeight">Rows of zeros on either side, 0 to kH − 1.</param>
    /// <param name="paddingWidth">Columns of zeros on either side, 0 to kW − 1.</param>
    /// <param name="output">Where to write, [N, H', W', Co]; may be a channel view, and must not overlap x. Null rents a tensor.</param>
    /// <param name="norm">A batch norm that follows, whose part in this is done here; null for none.</param>
    /// <returns>f32 [N, H', W', Co] with H' = ⌊(H + 2·padH − kH) / sH⌋ + 1, and W' likewise.</returns>
    /// <exception cref="ShapeException">The shapes or the norm's channels do not fit, or the maps are smaller than the kernel.</exception>
    /// <exception cref="InvalidOptionException">The norm was not prepared since its last use, or is to be done here and there is a tape.</exception>
    public static Tensor Forward(
        Tape? tape,
        Tensor x,
        Tensor weight,
        Tensor? bias = null,
        int strideHeight = 1,
        int strideWidth = 1,
        int paddingHeight = 0,
        int paddingWidth = 0,
        Tensor? output = null,
        BatchNormEpilogue? norm = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentOutOfRangeException.ThrowIfLessThan(strideHeight, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(strideWidth, 1);
        if (x.Shape.Rank != 4 || weight.Shape.Rank != 4 || x.Shape[3] != weight.Shape[3] || !weight.IsContiguous)
        {
            throw new ShapeException($"Conv2d needs x [N, H, W, Ci] and weight [Co, kH, kW, Ci]; given {x.Shape} and {weight.Shape}.");
        }

        if (bias is not null && bias.Count != weight.Shape[0])
        {
            throw new ShapeException($"Conv2d needs a bias of {weight.Shape[0]} elements; given {bias.Shape}.");
        }

        var geometry = Geometry.Of(x.Shape, weight.Shape, strideHeight, strideWidth, paddingHeight, paddingWidth);
        var shape = new Shape(geometry.Batch, geometry.OutputHeight, geometry.OutputWidth, geometry.Outputs);
        if (output is not null && output.Shape != shape)
        {
            throw new ShapeException($"Conv2d writes {shape}; the given output is {output.Shape}.");
        }

        norm?.Check(tape, weight.Shape[0]);
        var y = output ?? x.Device.Workspace.Rent(shape);
        if (x.Device is CudaDevice cuda)
        {
            CudaForward(cuda, geometry, x, weight, bias, norm, y);
        }
        else
        {
            CpuForward(Cpu.Of(x.Device), geometry, x, weight, new ProductEpilogue(bias, norm), y);
        }

        norm?.Record(y, tape is not null && bias is { RequiresGrad: true });
        if (tape is not null && (x.RequiresGrad || weight.RequiresGrad || bias is { RequiresGrad: true }))
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            (node.X, node.Weight, node.Bias, node.Y, node.Geometry) = (x, weight, bias, y, geometry);
        }

        return y;
    }

    private readonly record struct Geometry(
        int Batch,
        int Height,
        int Width,
        int Inputs,
        int OutputHeight,
        int OutputWidth,
        int Outputs,
        int TapsHeight,
        int TapsWidth,
        int StrideHeight,
        int StrideWidth,
        int PaddingHeight,
        int PaddingWidth)
    {
        public static Geometry Of(Shape x, Shape weight, int strideHeight, int strideWidth, int paddingHeight, int paddingWidth)
        {
            int height = Length("height", x[1], weight[1], strideHeight, paddingHeight), width = Length("width", x[2], weight[2], strideWidth, paddingWidth);
            return new Geometry(
                x[0], x[1], x[2], x[3], height, width, weight[0], weight[1], weight[2], strideHeight, strideWidth, paddingHeight, paddingWidth);
        }

        private static int Length(string axis, int length, int taps, int stride, int padding)
        {
            if (padding < 0 || padding >= taps)
            {
                throw new ShapeException($"Conv2d of kernel {axis} {taps} needs padding of 0 to {taps - 1}; given {padding}.");
            }

            if (length + (2 * padding) < taps)
            {
                throw new ShapeException($"Conv2d of kernel {axis} {taps} with padding {padding} needs maps of {axis} {taps - (2 * padding)} at least; given {length}.");
            }

            return ((length + (2 * padding) - taps) / stride) + 1;
        }
    }

    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Weight = null!, Y = null!;
        public Tensor? Bias;
        public Geometry Geometry;

        public override void Backward()
        {
            if (Y.Grad is { } dy)
            {
                if (Y.Device is CudaDevice cuda)
                {
                    CudaBackward(cuda, Geometry, X, Weight, Bias, dy);
                }
                else
                {
                    CpuBackward(Cpu.Of(Y.Device), Geometry, X, Weight, Bias, dy);
                }
            }
        }
    }
}
