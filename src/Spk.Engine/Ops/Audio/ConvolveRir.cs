using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Audio;

/// <summary>Reverberation: full convolution of waveforms with energy-normalised room responses, cut to the waveform's length.</summary>
public static partial class ConvolveRir
{
    /// <summary>Convolves every row with its own response. No gradient flows through this op.</summary>
    /// <param name="waves">Samples, f32 [N, L], L as the bank was made for; overwritten.</param>
    /// <param name="bank">Room responses on the same device.</param>
    /// <param name="response">N indices into the bank; −1 leaves the row as it is.</param>
    /// <exception cref="ShapeException">The shapes do not fit, or an index is outside the bank.</exception>
    public static void Apply(Tensor waves, RirBank bank, ReadOnlySpan<int> response)
    {
        ArgumentNullException.ThrowIfNull(waves);
        ArgumentNullException.ThrowIfNull(bank);
        if (waves.Shape.Rank != 2 || waves.Shape[1] != bank.Samples || waves.Shape[0] != response.Length)
        {
            throw new ShapeException(
                $"This room bank needs waveforms [N, {bank.Samples}] and N indices; given {waves.Shape} and {response.Length} indices.");
        }

        foreach (int index in response)
        {
            if (index < -1 || index >= bank.Count)
            {
                throw new ShapeException($"Room response {index} was asked of a bank of {bank.Count}: allowed are -1 (none) to {bank.Count - 1}.");
            }
        }

        if (waves.Device is CudaDevice cuda)
        {
            CudaApply(cuda, waves, (CudaRooms)bank.Rooms, response);
        }
        else
        {
            CpuApply(Cpu.Of(waves.Device), waves, (CpuRooms)bank.Rooms, response);
        }
    }

    /// <summary>Transforms responses for convolution with waveforms of one length.</summary>
    internal static Rooms Prepare(Device device, IReadOnlyList<float[]> responses, int samples) =>
        device is CudaDevice cuda ? new CudaRooms(cuda, responses) : new CpuRooms(Cpu.Of(device), responses, samples);

    /// <summary>Transformed room responses, as a kind of device wants them.</summary>
    internal abstract class Rooms;
}
