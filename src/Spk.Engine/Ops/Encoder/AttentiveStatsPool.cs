using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Encoder;

/// <summary>The trained parts of attentive statistics pooling over C channels with H hidden units.</summary>
/// <param name="ContextWeight">[H, 3C]: over frames, their means and their deviations.</param>
/// <param name="ContextBias">[H].</param>
/// <param name="ScoreWeight">[C, H].</param>
/// <param name="ScoreBias">[C].</param>
/// <param name="Gamma">Batch norm scale [H]; null, like the next three, for no rectifier and no batch norm before tanh.</param>
/// <param name="Beta">Batch norm offset [H].</param>
/// <param name="RunningMean">Batch norm buffer [H].</param>
/// <param name="RunningVariance">Batch norm buffer [H].</param>
public sealed record AttentiveStatsParameters(
    Parameter ContextWeight,
    Parameter ContextBias,
    Parameter ScoreWeight,
    Parameter ScoreBias,
    Parameter? Gamma = null,
    Parameter? Beta = null,
    Parameter? RunningMean = null,
    Parameter? RunningVariance = null);

/// <summary>
/// Attentive statistics pooling with global context (Okabe et al., arXiv:1803.10963; context and per-channel weights of
/// ECAPA-TDNN, Desplanques et al., arXiv:2005.07143).
/// </summary>
/// <remarks>
/// h = tanh(BN(relu(A·[x; μ; σ] + a))), α = softmax over time of (B·h + b) for each channel; result Σαx and
/// √max(Σα(x − Σαx)², eps). The concatenation is never stored: A·[x; μ; σ] = Ax·x + (Aμ·μ + Aσ·σ), the second part once an utterance.
/// </remarks>
public static partial class AttentiveStatsPool
{
    /// <summary>Pools frames to one vector an utterance.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">Frames, f32 [N, T, C].</param>
    /// <param name="parameters">The trained parts.</param>
    /// <param name="training">Whether the batch norm uses the statistics of this batch.</param>
    /// <param name="eps">Floor of the variances; below it their gradient is 0.</param>
    /// <param name="context">Which variance the context takes its deviation from.</param>
    /// <returns>Weighted means, then deviations: f32 [N, 2C].</returns>
    /// <exception cref="ShapeException">The shapes do not fit each other, or there are too few frames.</exception>
    public static Tensor Forward(
        Tape? tape,
        Tensor x,
        AttentiveStatsParameters parameters,
        bool training,
        float eps = 1e-12f,
        PoolVariance context = PoolVariance.BiasedClamped)
    {
        ArgumentNullException.ThrowIfNull(x);
        ArgumentNullException.ThrowIfNull(parameters);
        Check(x, parameters);
        int channels = x.Shape[2];
        var statistics = StatsPool.Forward(tape, x, eps, context);
        var weight = parameters.ContextWeight.Value;
        var hidden = Linear.Forward(tape, x, weight.Channels(0, channels), null);
        var shared = Linear.Forward(tape, statistics, weight.Channels(channels, 2 * channels), parameters.ContextBias.Value);
        AddShared(tape, hidden, shared);
        if (parameters.RunningMean is { } mean && parameters.RunningVariance is { } variance)
        {
            hidden = BatchNorm.Forward(
                tape, hidden, parameters.Gamma, parameters.Beta, mean, variance, training, before: ActivationKind.Relu);
        }

        hidden = Activation.Forward(tape, hidden, ActivationKind.Tanh, output: hidden);
        return Pool(tape, x, hidden, parameters.ScoreWeight.Value, parameters.ScoreBias.Value, eps);
    }

    // The context's part of the hidden units, the same for all frames of an utterance, added in place.
    private static void AddShared(Tape? tape, Tensor hidden, Tensor shared)
    {
        if (hidden.Device is CudaDevice cuda)
        {
            CudaAddShared(cuda, hidden, shared);
        }
        else
        {
            CpuAddShared(Cpu.Of(hidden.Device), hidden, shared);
        }

        if (tape is not null)
        {
            var node = tape.Record<SharedNode>();
            node.Hidden = hidden;
            node.Shared = shared;
        }
    }

    /// <summary>The scores' map, their softmax over time and the weighted moments of x; on a GPU neither scores nor weights are ever stored.</summary>
    /// <param name="tape">Where the backward step is recorded; null for inference.</param>
    /// <param name="x">Frames, [N, T, C]; may be a channel view.</param>
    /// <param name="hidden">Hidden units, [N, T, H]; may be a channel view.</param>
    /// <param name="weight">[C, H].</param>
    /// <param name="bias">[C].</param>
    /// <param name="eps">Floor of the variances.</param>
    /// <returns>[N, 2C].</returns>
    internal static Tensor Pool(Tape? tape, Tensor x, Tensor hidden, Tensor weight, Tensor bias, float eps)
    {
        var workspace = x.Device.Workspace;
        int items = x.Shape[0], channels = x.Shape[2];
        var y = workspace.Rent(new Shape(items, 2 * channels));
        var variances = workspace.Rent(new Shape(items, channels));
        var softmax = x.Device is CudaDevice cuda
            ? CudaPool(cuda, x, hidden, weight, bias, y, variances, eps)
            : CpuPool(Cpu.Of(x.Device), x, hidden, weight, bias, y, variances, eps);
        if (tape is not null)
        {
            y.RequiresGrad = true;
            var node = tape.Record<PoolNode>();
            (node.X, node.Hidden, node.Weight, node.Bias) = (x, hidden, weight, bias);
            (node.Y, node.Variances, node.Softmax, node.Eps) = (y, variances, softmax, eps);
        }

        return y;
    }

    private static void Check(Tensor x, AttentiveStatsParameters p)
    {
        if (x.Shape.Rank != 3 || x.Shape[1] < 1)
        {
            throw new ShapeException($"Attentive statistics pooling needs [N, T, C] with at least one frame, not shape {x.Shape}.");
        }

        int channels = x.Shape[2];
        if (p.ContextWeight.Shape.Rank != 2 || p.ContextWeight.Shape[1] != 3 * channels
            || p.ScoreWeight.Shape != new Shape(channels, p.ContextWeight.Shape[0]))
        {
            throw new ShapeException(
                $"Attentive statistics pooling over {channels} channels needs weights [H, {3 * channels}] and [{channels}, H], "
                + $"not {p.ContextWeight.Shape} and {p.ScoreWeight.Shape}.");
        }
    }

    private sealed class SharedNode : TapeNode
    {
        public Tensor Hidden = null!, Shared = null!;

        public override void Backward()
        {
            if (Hidden.Grad is { } gradient)
            {
                var shared = Shared.GradForWrite(out bool accumulate);
                if (Hidden.Device is CudaDevice cuda)
                {
                    CudaSharedBackward(cuda, gradient, shared, accumulate);
                }
                else
                {
                    CpuSharedBackward(Cpu.Of(Hidden.Device), gradient, shared, accumulate);
                }
            }
        }
    }

    private sealed class PoolNode : TapeNode
    {
        public Tensor X = null!, Hidden = null!, Weight = null!, Bias = null!, Y = null!, Variances = null!;

        // Of the scores: on the CPU the weights of the frames, on a GPU what they are made from again.
        public Tensor Softmax = null!;
        public float Eps;

        public override void Backward()
        {
            if (Y.Grad is not { } dy)
            {
                return;
            }

            Tensor? dx = null;
            bool accumulate = false;
            if (X.RequiresGrad)
            {
                dx = X.GradForWrite(out accumulate);
            }

            var scoreGradient = X.Device is CudaDevice cuda
                ? CudaPoolBackward(cuda, this, dy, dx, accumulate)
                : CpuPoolBackward(Cpu.Of(X.Device), this, dy, dx, accumulate);
            Linear.Backward(Hidden, Weight, Bias, scoreGradient);
        }
    }
}
