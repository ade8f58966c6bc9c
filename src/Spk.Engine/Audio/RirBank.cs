using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Audio;

/// <summary>
/// Room impulse responses, ready for convolution with waveforms of one length: energy-normalised, h / ‖h‖₂, and transformed
/// once. Takes 4 bytes for each sample of the transform and response, in the device's persistent memory.
/// </summary>
public sealed unsafe class RirBank
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
        int longest = 1;
        foreach (float[] response in responses)
        {
            longest = Math.Max(longest, Math.Min(samples, response.Length));
        }

        long needed = (long)samples + longest - 1;
        if (needed > RealFft.MaximumLength)
        {
            throw new ShapeException($"Waveforms of {samples} samples are too long to convolve with responses of {longest}: cut them first.");
        }

        Fft = new RealFft((int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)Math.Max(needed, RealFft.MinimumLength)));
        Spectra = device.AllocatePersistent(new Shape(Count, 2 * Fft.PartStride));
        Transform(Cpu.Of(device), responses);
    }

    /// <summary>The device.</summary>
    public Device Device { get; }

    /// <summary>Number of responses.</summary>
    public int Count { get; }

    /// <summary>Length L of the waveforms that can be convolved.</summary>
    public int Samples { get; }

    /// <summary>Transform that holds a waveform and the longest response without wrapping around.</summary>
    internal RealFft Fft { get; }

    /// <summary>f32 [Count, 2, PartStride]: real parts, then imaginary parts.</summary>
    internal Tensor Spectra { get; }

    private void Transform(CpuDevice cpu, IReadOnlyList<float[]> responses)
    {
        var normalized = Lanes.Table(Fft.Length);
        byte* scratch = cpu.Workers.Scratch(0, Fft.ScratchBytes);
        for (int r = 0; r < responses.Count; r++)
        {
            float[] response = responses[r];
            double energy = 0;
            foreach (float value in response)
            {
                energy += (double)value * value;
            }

            if (!double.IsFinite(energy))
            {
                throw new NonFiniteException($"Room response {r} holds a value that is not finite.");
            }

            if (energy <= 0)
            {
                throw new DataFormatException($"Room response {r} is empty or silent: leave it out.");
            }

            int length = Math.Min(response.Length, Samples);
            double scale = 1 / Math.Sqrt(energy);
            for (int i = 0; i < length; i++)
            {
                normalized[i] = (float)(response[i] * scale);
            }

            Fft.Forward(Lanes.Pointer(normalized), length, Spectra.Row(r), (float*)scratch);
        }

        GC.KeepAlive(normalized);
    }
}
