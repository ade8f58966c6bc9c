using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Optim;

/// <summary>
/// A moving average of parameters that follows a step of an optimiser in the same pass: average = m·average + (1 − m)·value, with the bits of
/// <see cref="Ema.Step"/> after the step.
/// </summary>
/// <param name="Values">The average, f32, contiguous, laid out like the parameters; changed in place.</param>
/// <param name="Momentum">m, 0 (copy) to 1 (keep).</param>
public readonly record struct MovingAverage(Tensor Values, double Momentum)
{
    // Rounded once from f64, as the kernels take them.
    internal float Keep => (float)Momentum;

    internal float Take => (float)(1 - Momentum);

    internal void Require(Tensor parameters)
    {
        OptimChecks.RequireLike(parameters, Values, "average");
        OptimChecks.RequireZeroToOne(Momentum, "momentum");
    }
}
