using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>What a convolution reads beyond the ends of the signal.</summary>
public enum Padding
{
    /// <summary>Nothing: the output is shorter by dilation * (kernel - 1) frames.</summary>
    Valid,

    /// <summary>Zeros, dilation * (kernel - 1) / 2 frames on either side: the output is as long as the input.</summary>
    Zero,

    /// <summary>The mirrored signal without repeating the edge frame, as far as <see cref="Zero"/>.</summary>
    Reflect,
}

/// <summary>
/// Dilated convolution over time, channels-last: y[n, t, o] = b[o] + Σ_k Σ_i w[o, k, i] x[n, t + k·dilation − pad, i].
/// </summary>
/// <remarks>
/// Computed as a matrix product that reads the windows in place; no unfolded copy is made. On CPUs, three taps with 64 channels or more on both
/// sides, 32 frames or more and a dilation well below their number are computed by minimal filtering instead, frames t and t + dilation from
/// four products of channels, not six (Winograd, "Arithmetic complexity of computations", 1980). Rounding errors are of the same size. A NaN
/// or infinity in one frame reaches no other frames of the result than by the direct product, but an infinity may arrive as NaN; near the ends
/// of a signal, where not every tap reads a frame, it may reach the gradients by all three.
/// </remarks>
public static partial class Conv1d
{
    /// <summary>Convolves every utterance of a batch.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">f32 [N, T, Ci]; rows may be strided (channel views).</param>
    /// <param name="weight">f32 [Co, k, Ci]: the memory order; files hold [Co, Ci, k].</param>
    /// <param name="bias">f32 [Co], or null.</param>
    /// <param name="dilation">Frames between taps, 1 or more.</param>
    /// <param name="padding">What lies beyond the ends. Other than valid needs an odd kernel.</param>
    /// <param name="output">Where to write, [N, T', Co]; may be a channel view, and must not overlap x. Null rents a tensor.</param>
    /// <param name="norm">A batch norm that follows, whose part in this is done here; null for none.</param>
    /// <returns>f32 [N, T', Co] with T' = T, or T − dilation (k − 1) for valid padding.</returns>
    /// <exception cref="ShapeException">The shapes or the norm's channels do not fit, or the utterances are too short for the kernel or the reflection.</exception>
    /// <exception cref="InvalidOptionException">The norm was not prepared since its last use, or is to be done here and there is a tape.</exception>
    public static Tensor Forward(
        Tape? tape, Tensor x, Tensor weight, Tensor? bias, int dilation = 1, Padding padding = Padding.Valid, Tensor? output = null, BatchNormEpilogue? norm = null)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentOutOfRangeException.ThrowIfLessThan(dilation, 1);
        if (x.Shape.Rank != 3 || weight.Shape.Rank != 3 || x.Shape[2] != weight.Shape[2])
        {
            throw new ShapeException($"Conv1d needs x [N, T, Ci] and weight [Co, k, Ci]; given {x.Shape} and {weight.Shape}.");
        }

        if (bias is not null && bias.Count != weight.Shape[0])
        {
            throw new ShapeException($"Conv1d needs a bias of {weight.Shape[0]} elements; given {bias.Shape}.");
        }

        var geometry = Geometry.Of(x.Shape, weight.Shape, dilation, padding);
        var shape = new Shape(geometry.Batch, geometry.OutputFrames, geometry.OutputChannels);
        if (output is not null && output.Shape != shape)
        {
            throw new ShapeException($"Conv1d writes {shape}; the given output is {output.Shape}.");
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
        int Batch, int InputFrames, int OutputFrames, int InputChannels, int OutputChannels, int Taps, int Dilation, int Pad, Padding Padding)
    {
        public static Geometry Of(Shape x, Shape weight, int dilation, Padding padding)
        {
            int taps = weight[1], reach = dilation * (taps - 1);
            if (padding != Padding.Valid && taps % 2 == 0)
            {
                throw new ShapeException($"Conv1d with {padding} padding needs an odd kernel; given {taps}.");
            }

            int pad = padding == Padding.Valid ? 0 : reach / 2;
            int frames = x[1] + (2 * pad) - reach;
            if (frames < 1 || (padding == Padding.Reflect && pad >= x[1]))
            {
                throw new ShapeException(
                    $"Conv1d of kernel {taps} and dilation {dilation} with {padding} padding needs at least {(padding == Padding.Reflect ? pad + 1 : reach + 1 - (2 * pad))} frames; given {x[1]}.");
            }

            return new Geometry(x[0], x[1], frames, x[2], weight[0], taps, dilation, pad, padding);
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
