using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>Which variance a pooling takes its deviation from.</summary>
public enum PoolVariance
{
    /// <summary>√(variance over T − 1 frames + eps): x-vector pooling; needs two frames.</summary>
    UnbiasedPlusEps,

    /// <summary>√max(variance over T frames, eps); at the floor the gradient is 0. The context of attentive pooling.</summary>
    BiasedClamped,
}

/// <summary>
/// Statistics pooling: mean and standard deviation over time of every channel (Snyder et al., "X-vectors: robust DNN
/// embeddings for speaker recognition", ICASSP 2018).
/// </summary>
public static partial class StatsPool
{
    /// <summary>Pools frames to one vector an utterance.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">Frames, f32 [N, T, C].</param>
    /// <param name="eps">Keeps the gradient of a constant channel finite; in the square of x's units.</param>
    /// <param name="variance">Which variance; the default is that of x-vectors.</param>
    /// <returns>Means, then deviations: f32 [N, 2C].</returns>
    /// <exception cref="ShapeException">x has not three axes or too few frames.</exception>
    public static Tensor Forward(Tape? tape, Tensor x, float eps = 1e-7f, PoolVariance variance = PoolVariance.UnbiasedPlusEps)
    {
        ArgumentNullException.ThrowIfNull(x);
        int least = variance == PoolVariance.UnbiasedPlusEps ? 2 : 1;
        if (x.Shape.Rank != 3 || x.Shape[1] < least)
        {
            throw new ShapeException($"Statistics pooling needs [N, T, C] with at least {least} frames, not shape {x.Shape}.");
        }

        var y = x.Device.Workspace.Rent(new Shape(x.Shape[0], 2 * x.Shape[2]));
        if (x.Device is CudaDevice cuda)
        {
            CudaForward(cuda, x, y, eps, variance);
        }
        else
        {
            CpuForward(Cpu.Of(x.Device), x, y, eps, variance);
        }

        if (tape is not null && x.RequiresGrad)
        {
            y.RequiresGrad = true;
            var node = tape.Record<Node>();
            node.X = x;
            node.Y = y;
            node.Eps = eps;
            node.Variance = variance;
        }

        return y;
    }

    private sealed class Node : TapeNode
    {
        public Tensor X = null!, Y = null!;
        public float Eps;
        public PoolVariance Variance;

        public override void Backward()
        {
            if (Y.Grad is { } dy)
            {
                var dx = X.GradForWrite(out bool accumulate);
                if (X.Device is CudaDevice cuda)
                {
                    CudaBackward(cuda, X, Y, dy, dx, Eps, Variance, accumulate);
                }
                else
                {
                    CpuBackward(Cpu.Of(X.Device), X, Y, dy, dx, Eps, Variance, accumulate);
                }
            }
        }
    }
}
