using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Audio;

/// <summary>
/// Additive noise at a signal-to-noise ratio: x + g n with g = 10^((dB(x) − dB(n) − snr) / 20) and
/// dB(a) = 10 log10(mean(a²) + 1e-4). The floor keeps near-silent noise from being amplified without bound.
/// </summary>
public static partial class MixNoise
{
    /// <summary>Mean square that counts as silence (−40 dB of full scale).</summary>
    public const double LevelFloor = 1e-4;

    /// <summary>Adds each noise row to its waveform. No gradient flows through this op.</summary>
    /// <param name="waves">Samples in ±1, f32 [N, L]; overwritten.</param>
    /// <param name="noise">Noise, f32 [N, L].</param>
    /// <param name="snrDb">N ratios in dB; NaN leaves the row as it is.</param>
    /// <exception cref="ShapeException">The shapes do not fit each other.</exception>
    /// <exception cref="InvalidOptionException">A ratio is infinite.</exception>
    public static void Apply(Tensor waves, Tensor noise, ReadOnlySpan<float> snrDb)
    {
        ArgumentNullException.ThrowIfNull(waves);
        ArgumentNullException.ThrowIfNull(noise);
        if (waves.Shape.Rank != 2 || noise.Shape != waves.Shape || waves.Shape[0] != snrDb.Length)
        {
            throw new ShapeException(
                $"Mixing needs waveforms and noise of one shape [N, L] and N ratios; given {waves.Shape}, {noise.Shape} and {snrDb.Length}.");
        }

        foreach (float ratio in snrDb)
        {
            if (float.IsInfinity(ratio))
            {
                throw new InvalidOptionException("A signal-to-noise ratio is infinite: use NaN for no noise.");
            }
        }

        if (waves.Device is CudaDevice cuda)
        {
            CudaApply(cuda, waves, noise, snrDb);
        }
        else
        {
            CpuApply(Cpu.Of(waves.Device), waves, noise, snrDb);
        }
    }
}
