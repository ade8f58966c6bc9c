using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Optim;

/// <summary>
/// Exponential moving average: DINO's centre, parameters that no optimiser moves. The momentum encoders of MoCo (He et al. 2020) and DINO
/// (Caron et al. 2021) follow in the optimiser's own pass (<see cref="MovingAverage"/>).
/// </summary>
public static partial class Ema
{
    /// <summary>target = m·target + (1 − m)·source, in place.</summary>
    /// <param name="target">The average, f32, contiguous.</param>
    /// <param name="source">The newest parameters, as many elements; not changed.</param>
    /// <param name="momentum">m, 0 (copy) to 1 (keep); 0.99 to 0.9999 is usual.</param>
    /// <exception cref="ShapeException">The vectors differ in length.</exception>
    /// <exception cref="InvalidOptionException">The momentum is outside 0 to 1.</exception>
    public static void Step(Tensor target, Tensor source, double momentum)
    {
        ArgumentNullException.ThrowIfNull(target);
        OptimChecks.RequireLike(target, source, nameof(source));
        OptimChecks.RequireZeroToOne(momentum, nameof(momentum));
        if (target.Device is CudaDevice cuda)
        {
            CudaStep(cuda, target, source, momentum);
        }
        else
        {
            CpuStep(Cpu.Of(target.Device), target, source, momentum);
        }
    }
}
