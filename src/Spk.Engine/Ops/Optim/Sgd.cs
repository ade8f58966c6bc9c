using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Optim;

/// <summary>Stochastic gradient descent with momentum, Nesterov's variant and coupled weight decay, as in PyTorch.</summary>
/// <remarks>
/// g = factor · gradient + λ p; b = μ b + g (the first step's b is g, which zeros give); p −= lr · (nesterov ? g + μ b : b). A NaN in a gradient
/// reaches value and state.
/// </remarks>
public static partial class Sgd
{
    /// <summary>Does one step in place.</summary>
    /// <param name="values">Parameters, f32, contiguous.</param>
    /// <param name="gradients">Gradients laid out like <paramref name="values"/>; not changed.</param>
    /// <param name="buffer">b, zeros before the first step; null where the momentum is 0.</param>
    /// <param name="settings">Hyper-parameters.</param>
    /// <param name="undecayed">
    /// Runs of elements without weight decay: pairs (start, end) as i32, ascending, end excluded; null means all decay.
    /// </param>
    /// <param name="average">An average that follows the values in the same pass; null for none.</param>
    /// <exception cref="ShapeException">The vectors differ in length, or a momentum has no buffer.</exception>
    /// <exception cref="InvalidOptionException">A hyper-parameter is out of range.</exception>
    public static void Step(Tensor values, Tensor gradients, Tensor? buffer, in SgdSettings settings, Tensor? undecayed = null, MovingAverage? average = null)
    {
        ArgumentNullException.ThrowIfNull(values);
        OptimChecks.RequireLike(values, gradients, nameof(gradients));
        OptimChecks.RequireRuns(values, undecayed);
        average?.Require(values);
        settings.Validate();
        if (settings.Momentum > 0)
        {
            if (buffer is null)
            {
                throw new ShapeException($"A momentum needs a buffer of {values.Count} elements; given none.");
            }

            OptimChecks.RequireLike(values, buffer, nameof(buffer));
        }

        var momentum = settings.Momentum > 0 ? buffer : null;
        if (values.Device is CudaDevice cuda)
        {
            CudaStep(cuda, values, gradients, momentum, settings, undecayed, average);
        }
        else
        {
            CpuStep(Cpu.Of(values.Device), values, gradients, momentum, settings, undecayed, average);
        }
    }
}
