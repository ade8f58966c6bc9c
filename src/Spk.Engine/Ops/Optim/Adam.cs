using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Optim;

/// <summary>
/// Adam with bias correction (Kingma and Ba 2015); weight decay is coupled: it is added to the gradient (L2), as in PyTorch's Adam.
/// </summary>
/// <remarks>
/// g = factor · gradient + λ p; m = β₁ m + (1 − β₁) g; v = β₂ v + (1 − β₂) g²; p −= lr · m/(1 − β₁ᵗ) / (√(v/(1 − β₂ᵗ)) + ε). One pass over flat
/// vectors; a NaN in a gradient reaches value and state.
/// </remarks>
public static partial class Adam
{
    /// <summary>Does one step in place.</summary>
    /// <param name="values">Parameters, f32, contiguous.</param>
    /// <param name="gradients">Gradients laid out like <paramref name="values"/>; not changed.</param>
    /// <param name="mean">m, zeros before the first step.</param>
    /// <param name="meanSquare">v, zeros before the first step.</param>
    /// <param name="step">t, 1 for the first step.</param>
    /// <param name="settings">Hyper-parameters.</param>
    /// <param name="undecayed">
    /// Runs of elements without weight decay: pairs (start, end) as i32, ascending, end excluded; null means all decay.
    /// </param>
    /// <param name="average">An average that follows the values in the same pass; null for none.</param>
    /// <exception cref="ShapeException">The vectors differ in length.</exception>
    /// <exception cref="InvalidOptionException">A hyper-parameter is out of range.</exception>
    public static void Step(
        Tensor values, Tensor gradients, Tensor mean, Tensor meanSquare, long step, in AdamSettings settings, Tensor? undecayed = null, MovingAverage? average = null) =>
        Step(values, gradients, mean, meanSquare, step, settings, undecayed, average, decoupled: false);

    internal static void Step(
        Tensor values, Tensor gradients, Tensor mean, Tensor meanSquare, long step, in AdamSettings settings, Tensor? undecayed, MovingAverage? average, bool decoupled)
    {
        ArgumentNullException.ThrowIfNull(values);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(step);
        OptimChecks.RequireLike(values, gradients, nameof(gradients));
        OptimChecks.RequireLike(values, mean, nameof(mean));
        OptimChecks.RequireLike(values, meanSquare, nameof(meanSquare));
        OptimChecks.RequireRuns(values, undecayed);
        average?.Require(values);
        settings.Validate();
        var factors = Factors.Of(settings, step, decoupled, average);
        if (values.Device is not CudaDevice cuda)
        {
            CpuStep(Cpu.Of(values.Device), values, gradients, mean, meanSquare, undecayed, average?.Values, factors);
        }
        else if (decoupled)
        {
            AdamW.CudaStep(cuda, values, gradients, mean, meanSquare, undecayed, average?.Values, factors);
        }
        else
        {
            CudaStep(cuda, values, gradients, mean, meanSquare, undecayed, average?.Values, factors);
        }
    }

    /// <summary>What a step does to an element; laid out like AdamFactors of engine/kernels/common/adam.cuh.</summary>
    internal readonly struct Factors
    {
        public float Beta1 { get; private init; }

        public float Rest1 { get; private init; }

        public float Beta2 { get; private init; }

        public float Rest2 { get; private init; }

        public float StepSize { get; private init; }

        public float RootFactor { get; private init; }

        public float Epsilon { get; private init; }

        public float Coupled { get; private init; }

        public float Decoupled { get; private init; }

        public float GradientFactor { get; private init; }

        public float Keep { get; private init; }

        public float Take { get; private init; }

        public static Factors Of(in AdamSettings settings, long step, bool decoupled, in MovingAverage? average)
        {
            // The corrections near 1 at late steps, and the products, are formed in f64 and rounded once.
            double correction1 = 1 - Math.Pow(settings.Beta1, step);
            double correction2 = 1 - Math.Pow(settings.Beta2, step);
            return new Factors
            {
                Beta1 = (float)settings.Beta1,
                Rest1 = (float)(1 - settings.Beta1),
                Beta2 = (float)settings.Beta2,
                Rest2 = (float)(1 - settings.Beta2),
                StepSize = (float)(-settings.LearningRate / correction1),
                RootFactor = (float)(1 / Math.Sqrt(correction2)),
                Epsilon = (float)settings.Epsilon,
                Coupled = decoupled ? 0 : (float)settings.WeightDecay,
                Decoupled = decoupled ? (float)(-settings.LearningRate * settings.WeightDecay) : 0,
                GradientFactor = (float)settings.GradientFactor,
                Keep = average?.Keep ?? 0,
                Take = average?.Take ?? 0,
            };
        }
    }
}
