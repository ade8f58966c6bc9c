using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Audio;

/// <summary>Cuts a batch of crops out of 16-bit recordings and converts them to ±1.</summary>
/// <remarks>
/// An utterance that ends before the crop does is repeated from its beginning (tiled). A speed other than 1 reads between the
/// samples through a windowed sinc (Kaiser, 24 zero crossings), low-passed so that reading faster does not alias.
/// </remarks>
public static partial class CropGather
{
    /// <summary>Smallest and largest reading speed.</summary>
    public const float MinimumSpeed = 0.25f, MaximumSpeed = 4f;

    // Tabulated positions between two samples; linear interpolation between neighbours leaves an error of about −82 dB, below
    // the kernel's own stop band of −72 dB.
    private const int Phases = 128;

    private static readonly KaiserSinc Kernel = new(crossings: 24, beta: 7);

    /// <summary>Reads one crop per row.</summary>
    /// <param name="device">Where the batch lives.</param>
    /// <param name="source">The recordings.</param>
    /// <param name="crops">What each row holds.</param>
    /// <param name="samples">Samples of a row, L, 1 or more.</param>
    /// <returns>f32 [N, L] in the device's workspace: sample / 32768 · gain.</returns>
    /// <exception cref="InvalidOptionException">A crop names an utterance or a start that is not there, or a gain or speed out of range.</exception>
    /// <exception cref="DataFormatException">An utterance is empty.</exception>
    public static Tensor Forward(Device device, PcmSource source, ReadOnlySpan<CropRequest> crops, int samples)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(samples);
        var waves = device.Workspace.Rent(new Shape(crops.Length, samples));
        if (device is CudaDevice cuda)
        {
            CudaForward(cuda, source, crops, waves);
        }
        else
        {
            CpuForward(Cpu.Of(device), source, crops, waves);
        }

        return waves;
    }

    /// <summary>
    /// Announces crops that <see cref="Forward"/> will be asked for later: a GPU's samples then travel while it works on
    /// something else. Changes no result; on the CPU it does nothing.
    /// </summary>
    /// <param name="device">Where the batch will live.</param>
    /// <param name="source">The recordings.</param>
    /// <param name="crops">What each row will hold.</param>
    /// <param name="samples">Samples of a row, L, 1 or more.</param>
    /// <exception cref="InvalidOptionException">As for <see cref="Forward"/>.</exception>
    /// <exception cref="DataFormatException">As for <see cref="Forward"/>.</exception>
    public static void Prepare(Device device, PcmSource source, ReadOnlySpan<CropRequest> crops, int samples)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(samples);
        if (device is CudaDevice cuda)
        {
            StagingOf(cuda).Prepare(source, crops, samples);
        }
    }

    /// <summary>Input samples from the first to the last position that a row's samples lie at.</summary>
    internal static int Span(int samples, double speed) => (int)((samples - 1) * speed) + 1;

    /// <summary>The weights of all tabulated places between two samples at one speed.</summary>
    /// <param name="speed">Input samples per output sample.</param>
    /// <param name="taps">Weights of a place.</param>
    /// <param name="before">How many samples ahead of a position the first weight is for.</param>
    /// <returns>[Phases + 1, taps].</returns>
    internal static float[] SpeedWeights(float speed, out int taps, out int before)
    {
        double cutoff = Kernel.Cutoff(speed);
        int half = Kernel.HalfWidth(cutoff);
        taps = 2 * half;
        before = half - 1;
        float[] weights = new float[(Phases + 1) * taps];
        for (int phase = 0; phase <= Phases; phase++)
        {
            Kernel.Fill((double)phase / Phases, cutoff, weights.AsSpan(phase * taps, taps));
        }

        return weights;
    }

    internal static unsafe Item Resolve(PcmSource source, in CropRequest crop)
    {
        if ((uint)crop.Utterance >= (uint)source.Count)
        {
            throw new InvalidOptionException($"A crop names utterance {crop.Utterance} of {source.Count}.");
        }

        var pcm = source.Utterance(crop.Utterance);
        if (pcm.IsEmpty)
        {
            throw new DataFormatException($"Utterance {crop.Utterance} is empty: leave it out of the corpus.");
        }

        if ((uint)crop.Start >= (uint)pcm.Length)
        {
            throw new InvalidOptionException($"A crop of utterance {crop.Utterance} starts at sample {crop.Start} of {pcm.Length}.");
        }

        if (!float.IsFinite(crop.Gain))
        {
            throw new InvalidOptionException($"A crop of utterance {crop.Utterance} has gain {crop.Gain}: allowed is a finite value.");
        }

        if (!(crop.Speed >= MinimumSpeed && crop.Speed <= MaximumSpeed))
        {
            throw new InvalidOptionException(
                $"A crop of utterance {crop.Utterance} has speed {crop.Speed}: allowed are {MinimumSpeed} to {MaximumSpeed}.");
        }

        // The source's memory never moves (its contract), so the address outlives the span.
        fixed (short* data = pcm)
        {
            return new Item { Data = data, Length = pcm.Length, Start = crop.Start, Scale = crop.Gain / 32768f, Speed = crop.Speed };
        }
    }

    internal unsafe struct Item
    {
        public short* Data;
        public int Length;
        public int Start;
        public float Scale;
        public float Speed;
    }
}
