using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>
/// Squeeze and excitation over time, or over frequency and time (Hu et al., arXiv:1709.01507; in ECAPA-TDNN, Desplanques et al., arXiv:2005.07143), with
/// the residual sum of the block in the same pass.
/// </summary>
/// <remarks>s = mean over time (and frequency) of x; g = sigmoid(W2·relu(W1·s + b1) + b2); y = x·g (+ residual).</remarks>
public static partial class SqueezeExcite
{
    /// <summary>Scales every channel of an utterance by a gate computed from its means.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">Activations, f32 [N, T, C] or maps [N, H, W, C].</param>
    /// <param name="reduceWeight">W1 [B, C].</param>
    /// <param name="reduceBias">b1 [B].</param>
    /// <param name="expandWeight">W2 [C, B].</param>
    /// <param name="expandBias">b2 [C].</param>
    /// <param name="residual">Added to the result, of x's shape; or null.</param>
    /// <param name="output">Where to write, of x's shape (may be a channel view); null for a new tensor.</param>
    /// <returns>The scaled activations, of x's shape.</returns>
    /// <exception cref="ShapeException">The shapes do not fit each other.</exception>
    public static Tensor Forward(
        Tape? tape,
        Tensor x,
        Parameter reduceWeight,
        Parameter reduceBias,
        Parameter expandWeight,
        Parameter expandBias,
        Tensor? residual = null,
        Tensor? output = null) =>
        Forward(tape, x, null, reduceWeight, reduceBias, expandWeight, expandBias, residual, output);

    /// <summary>The same, with the means over time [N, C] where what made x has them.</summary>
    internal static Tensor Forward(
        Tape? tape,
        Tensor x,
        Tensor? means,
        Parameter reduceWeight,
        Parameter reduceBias,
        Parameter expandWeight,
        Parameter expandBias,
        Tensor? residual,
        Tensor? output)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(reduceWeight);
        ArgumentNullException.ThrowIfNull(reduceBias);
        ArgumentNullException.ThrowIfNull(expandWeight);
        ArgumentNullException.ThrowIfNull(expandBias);
        Check(x, reduceWeight, reduceBias, expandWeight, expandBias, residual, output);
        var workspace = x.Device.Workspace;
        int items = x.Shape[0], channels = x.Shape.Last, width = reduceWeight.Shape[0];
        var y = output ?? workspace.Rent(x.Shape);
        means ??= Means(x);
        var hidden = workspace.Rent(new Shape(items, width));
        var gates = workspace.Rent(new Shape(items, channels));
        if (x.Device is CudaDevice cuda)
        {
            CudaForward(cuda, x, reduceWeight.Value, reduceBias.Value, expandWeight.Value, expandBias.Value, residual, means, hidden, gates, y);
        }
        else
        {
            var cpu = Cpu.Of(x.Device);
            CpuForward(cpu, x, reduceWeight.Value, reduceBias.Value, expandWeight.Value, expandBias.Value, residual, means, hidden, gates, y);
        }

        if (tape is not null)
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            node.X = x;
            node.Y = y;
            node.Residual = residual;
            node.Means = means;
            node.Hidden = hidden;
            node.Gates = gates;
            node.ReduceWeight = reduceWeight.Value;
            node.ReduceBias = reduceBias.Value;
            node.ExpandWeight = expandWeight.Value;
            node.ExpandBias = expandBias.Value;
        }

        return y;
    }

    private static Tensor Means(Tensor x)
    {
        var means = x.Device.Workspace.Rent(new Shape(x.Shape[0], x.Shape.Last));
        if (x.Device is CudaDevice cuda)
        {
            CudaTimeSums(cuda, x, null, means, 1f / Frames(x));
        }
        else
        {
            TimeSums(Cpu.Of(x.Device), x, null, means, 1f / Frames(x));
        }

        return means;
    }

    // Elements over which an utterance's means are taken.
    private static int Frames(Tensor x) => x.Shape.Rows / Math.Max(1, x.Shape[0]);

    private static void Check(
        Tensor x, Parameter reduceWeight, Parameter reduceBias, Parameter expandWeight, Parameter expandBias, Tensor? residual, Tensor? output)
    {
        if (x.Shape.Rank is not (3 or 4) || x.Shape[1] < 1 || x.Shape[x.Shape.Rank - 2] < 1)
        {
            throw new ShapeException($"Squeeze and excitation needs [N, T, C] or [N, H, W, C] with at least one frame, not shape {x.Shape}.");
        }

        int channels = x.Shape.Last;
        if (reduceWeight.Shape.Rank != 2 || reduceWeight.Shape[1] != channels
            || expandWeight.Shape != new Shape(channels, reduceWeight.Shape[0])
            || reduceBias.Shape != new Shape(reduceWeight.Shape[0]) || expandBias.Shape != new Shape(channels))
        {
            throw new ShapeException(
                $"Squeeze and excitation over {channels} channels needs weights [B, {channels}], [B], [{channels}, B], [{channels}], "
                + $"not {reduceWeight.Shape}, {reduceBias.Shape}, {expandWeight.Shape}, {expandBias.Shape}.");
        }

        if ((residual is not null && residual.Shape != x.Shape) || (output is not null && output.Shape != x.Shape))
        {
            throw new ShapeException($"Squeeze and excitation of {x.Shape} needs a residual and an output of that shape, not {residual?.Shape} and {output?.Shape}.");
        }
    }

    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Y = null!, Means = null!, Hidden = null!, Gates = null!;
        public Tensor ReduceWeight = null!, ReduceBias = null!, ExpandWeight = null!, ExpandBias = null!;
        public Tensor? Residual;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            var gateGradient = X.Device.Workspace.Rent(Gates.Shape);
            Tensor? residualGradient = null, dx = null;
            bool addResidual = false, addX = false;
            if (Residual is { RequiresGrad: true })
            {
                residualGradient = Residual.GradForWrite(out addResidual);
            }

            if (X.RequiresGrad)
            {
                // Every element of dy is read before it is replaced, and no other op reads it afterwards.
                dx = X.TakeGradient(dy) ? dy : X.GradForWrite(out addX);
            }

            if (X.Device is CudaDevice cuda)
            {
                CudaBackward(cuda, this, dy, gateGradient, dx, addX, residualGradient, addResidual);
            }
            else
            {
                CpuBackward(Cpu.Of(X.Device), this, dy, gateGradient, dx, addX, residualGradient, addResidual);
            }
        }
    }
}
