using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>
/// Self-attentive pooling of maps (Cai, Chen and Li, arXiv:1804.05160; after the mean over frequency in Fast ResNet-34,
/// Chung et al., arXiv:2003.11982).
/// </summary>
/// <remarks>m = mean over H of x; w = softmax over time of tanh(A·m + b)·a; result Σ over time of w·m.</remarks>
public static partial class SelfAttentivePool
{
    /// <summary>Pools maps to one vector an utterance.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">Maps, f32 [N, H, W, C], H the frequency and W the time; contiguous.</param>
    /// <param name="weight">A [D, C].</param>
    /// <param name="bias">b [D].</param>
    /// <param name="attention">a [D, 1].</param>
    /// <returns>f32 [N, C].</returns>
    /// <exception cref="ShapeException">The shapes do not fit each other.</exception>
    public static Tensor Forward(Tape? tape, Tensor x, Parameter weight, Parameter bias, Parameter attention)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(weight);
        ArgumentNullException.ThrowIfNull(bias);
        ArgumentNullException.ThrowIfNull(attention);
        if (x.Shape.Rank != 4 || x.Shape[1] < 1 || x.Shape[2] < 1 || !x.IsContiguous)
        {
            throw new ShapeException($"Self-attentive pooling needs contiguous maps [N, H, W, C] with at least one frame, not shape {x.Shape}.");
        }

        int channels = x.Shape[3];
        if (weight.Shape.Rank != 2 || weight.Shape[1] != channels || attention.Shape != new Shape(weight.Shape[0], 1))
        {
            throw new ShapeException(
                $"Self-attentive pooling over {channels} channels needs weights [D, {channels}] and [D, 1], not {weight.Shape} and {attention.Shape}.");
        }

        var frames = Mean(tape, x);
        var hidden = Linear.Forward(tape, frames, weight.Value, bias.Value);
        hidden = Activation.Forward(tape, hidden, ActivationKind.Tanh, output: hidden);
        return Attend(tape, frames, hidden, attention.Value);
    }

    private static Tensor Mean(Tape? tape, Tensor x)
    {
        var y = x.Device.Workspace.Rent(new Shape(x.Shape[0], x.Shape[2], x.Shape[3]));
        if (x.Device is CudaDevice cuda)
        {
            CudaMean(cuda, x, y);
        }
        else
        {
            CpuMean(Cpu.Of(x.Device), x, y);
        }

        if (tape is not null && x.RequiresGrad)
        {
            y.RequiresGrad = true;
            var node = tape.Record<MeanNode>();
            (node.X, node.Y) = (x, y);
        }

        return y;
    }

    private static Tensor Attend(Tape? tape, Tensor frames, Tensor hidden, Tensor attention)
    {
        var workspace = frames.Device.Workspace;
        int items = frames.Shape[0];
        var y = workspace.Rent(new Shape(items, frames.Shape[2]));
        var weights = workspace.Rent(new Shape(items, frames.Shape[1]));
        if (frames.Device is CudaDevice cuda)
        {
            CudaAttend(cuda, frames, hidden, attention, weights, y);
        }
        else
        {
            CpuAttend(Cpu.Of(frames.Device), frames, hidden, attention, weights, y);
        }

        if (tape is not null)
        {
            y.RequiresGrad = true;
            var node = tape.Record<AttendNode>();
            (node.Frames, node.Hidden, node.Attention, node.Weights, node.Y) = (frames, hidden, attention, weights, y);
        }

        return y;
    }

    private sealed class MeanNode : TapeNode
    {
        public Tensor X = null!, Y = null!;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            var dx = X.GradForWrite(out bool accumulate);
            if (X.Device is CudaDevice cuda)
            {
                CudaMeanBackward(cuda, dy, dx, accumulate);
            }
            else
            {
                CpuMeanBackward(Cpu.Of(X.Device), dy, dx, accumulate);
            }
        }
    }

    /// <summary>
    /// With g_t = dy·m_t: dscore_t = w_t (g_t − dy·y); from there dm_t = w_t dy, dhidden_t = dscore_t a and da = Σ dscore_t hidden_t.
    /// </summary>
    private sealed class AttendNode : TapeNode
    {
        public Tensor Frames = null!, Hidden = null!, Attention = null!, Weights = null!, Y = null!;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            // Both are this op's own: nothing has reached the gradient of the hidden units before.
            var hiddenGradient = Hidden.GradForWrite(out _);
            bool accumulate = false;
            var framesGradient = Frames.RequiresGrad ? Frames.GradForWrite(out accumulate) : null;
            var ofItems = Y.Device.Workspace.Rent(new Shape(Y.Shape[0], Attention.Count));
            var attentionGradient = Attention.GradForWrite(out bool adds);
            if (Y.Device is CudaDevice cuda)
            {
                CudaAttendBackward(cuda, this, dy, framesGradient, accumulate, hiddenGradient, ofItems, attentionGradient, adds);
            }
            else
            {
                CpuAttendBackward(Cpu.Of(Y.Device), this, dy, framesGradient, accumulate, hiddenGradient, ofItems, attentionGradient, adds);
            }
        }
    }
}
