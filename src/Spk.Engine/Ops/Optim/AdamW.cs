using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Optim;

/// <summary>
/// Adam with decoupled weight decay (Loshchilov and Hutter 2019): p is scaled by 1 − lr·λ, then stepped by Adam without decay in
/// the gradient.
/// </summary>
/// <remarks>State and arithmetic are those of <see cref="Adam"/>, whose pass over memory it shares.</remarks>
public static partial class AdamW
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
        CpuStep(values, gradients, mean, meanSquare, step, settings, undecayed, average);
}
