using System.Globalization;
using Spk.Engine.Autograd;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Optim;

/// <summary>Euclidean norm of gradients, and clipping by it.</summary>
/// <remarks>
/// Squares are summed in f64 in chunks of fixed length, added in order: the same bits for every thread count. A NaN or an infinity
/// in the gradients makes the norm non-finite; nothing is scaled then, so the caller can report the gradients as they came.
/// </remarks>
public static partial class GradientNorm
{
    // As in PyTorch's clip_grad_norm_: keeps the factor finite for a norm of 0.
    private const double Slack = 1e-6;

    /// <summary>The norm of all elements.</summary>
    /// <param name="gradients">f32, contiguous.</param>
    /// <returns>0 or more; NaN or infinite where the gradients are.</returns>
    public static double Compute(Tensor gradients)
    {
        ArgumentNullException.ThrowIfNull(gradients);
        OptimChecks.RequireLike(gradients, gradients, nameof(gradients));
        return gradients.Device is CudaDevice cuda ? CudaCompute(cuda, gradients) : CpuCompute(Cpu.Of(gradients.Device), gradients);
    }

    /// <summary>The norm of every trained parameter's gradient.</summary>
    /// <param name="parameters">An allocated set.</param>
    /// <param name="norms">As many elements as the set has trained parameters, in their order.</param>
    /// <exception cref="ShapeException">The span has another length.</exception>
    public static void ComputeEach(ParameterSet parameters, Span<double> norms)
    {
        RequireOneEach(parameters, norms);
        for (int i = 0; i < norms.Length; i++)
        {
            norms[i] = Compute(parameters.Trainable[i].Value.Grad!);
        }
    }

    /// <summary>Scales the gradients by highest/(norm + 1e-6) where that is below 1.</summary>
    /// <param name="gradients">f32, contiguous; changed in place.</param>
    /// <param name="highest">The norm to clip to, above 0.</param>
    /// <returns>The norm before clipping.</returns>
    /// <exception cref="InvalidOptionException">The limit is not above 0.</exception>
    public static double Clip(Tensor gradients, double highest)
    {
        double norm = Compute(gradients);
        Scale(gradients, ClipFactor(norm, highest));
        return norm;
    }

    /// <summary>What gradients are multiplied by to clip them: an optimiser does it as it reads them, which saves a pass.</summary>
    /// <param name="norm">Their norm, or that of several vectors together.</param>
    /// <param name="highest">The norm to clip to, above 0.</param>
    /// <returns>highest/(norm + 1e-6) where that is below 1, else 1; 1 where the norm is not finite.</returns>
    /// <exception cref="InvalidOptionException">The limit is not above 0.</exception>
    public static double ClipFactor(double norm, double highest)
    {
        if (!(highest > 0))
        {
            throw new InvalidOptionException($"gradient clip = {highest.ToString(CultureInfo.InvariantCulture)} is out of range: it must be above 0.");
        }

        return double.IsFinite(norm) ? Math.Min(1, highest / (norm + Slack)) : 1;
    }

    /// <summary>Clips the gradient of every trained parameter by its own norm (DINO's recipe clips each at 3).</summary>
    /// <param name="parameters">An allocated set; gradients are changed in place.</param>
    /// <param name="norms">What <see cref="ComputeEach"/> gave.</param>
    /// <param name="highest">The norm to clip each to, above 0.</param>
    /// <exception cref="ShapeException">The span has another length.</exception>
    /// <exception cref="InvalidOptionException">The limit is not above 0.</exception>
    public static void ClipEach(ParameterSet parameters, ReadOnlySpan<double> norms, double highest)
    {
        RequireOneEach(parameters, norms);
        for (int i = 0; i < norms.Length; i++)
        {
            Scale(parameters.Trainable[i].Value.Grad!, ClipFactor(norms[i], highest));
        }
    }

    private static void Scale(Tensor gradients, double factor)
    {
        if (factor == 1)
        {
            return;
        }

        if (gradients.Device is CudaDevice cuda)
        {
            CudaScale(cuda, gradients, (float)factor);
        }
        else
        {
            CpuScale(Cpu.Of(gradients.Device), gradients, (float)factor);
        }
    }

    private static void RequireOneEach(ParameterSet parameters, ReadOnlySpan<double> norms)
    {
        ArgumentNullException.ThrowIfNull(parameters);
        if (norms.Length != parameters.Trainable.Count)
        {
            throw new ShapeException($"There are {parameters.Trainable.Count} trained parameters, so as many norms, not {norms.Length}.");
        }
    }
}
