using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Interop;

namespace Spk.Engine.Audio;

/// <summary>
/// Room impulse responses, ready for convolution with waveforms of one length: energy-normalised, h / ‖h‖₂, and transformed
/// once into the device's persistent memory: on the CPU 4 bytes for each response and sample of a transform that holds waveform and
/// response, on a GPU 8 bytes for each sample of the longest response.
/// </summary>
public sealed class RirBank
{
    /// <summary>Transforms the responses.</summary>
    /// <param name="device">Where the spectra live.</param>
    /// <param name="responses">
    /// Impulse responses of any lengths above 0, at the waveforms' sample rate. What reaches beyond <paramref name="samples"/>
    /// cannot be heard in a row of that length and is left out after the normalisation.
    /// </param>
    /// <param name="samples">Length L of the waveforms, 1 or more.</param>
    /// <exception cref="DataFormatException">A response is empty or silent.</exception>
    /// <exception cref="NonFiniteException">A response holds a NaN or an infinity.</exception>
    public RirBank(Device device, IReadOnlyList<float[]> responses, int samples)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(responses);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(samples);
        Device = device;
        Count = responses.Count;
        Samples = samples;
        var normalized = new float[Count][];
        for (int r = 0; r < Count; r++)
        {
            normalized[r] = Normalize(responses[r], r);
        }

        Rooms = ConvolveRir.Prepare(device, normalized, samples);
    }

    /// <summary>The device.</summary>
    public Device Device { get; }

    /// <summary>Number of responses.</summary>
    public int Count { get; }

    /// <summary>Length L of the waveforms that can be convolved.</summary>
    public int Samples { get; }

    internal ConvolveRir.Rooms Rooms { get; }

    private float[] Normalize(float[] response, int index)
    {
        double energy = 0;
        foreach (float value in response)
        {
            energy += (double)value * value;
        }

        if (!double.IsFinite(energy))
        {
            throw new NonFiniteException($"Room response {index} holds a value that is not finite.");
        }

        if (energy <= 0)
        {
            throw new DataFormatException($"Room response {index} is empty or silent: leave it out.");
        }

        var normalized = new float[Math.Min(response.Length, Samples)];
        double scale = 1 / Math.Sqrt(energy);
        for (int i = 0; i < normalized.Length; i++)
        {
            normalized[i] = (float)(response[i] * scale);
        }

        return normalized;
    }
}
