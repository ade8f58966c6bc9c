using Spk.Engine.Audio;
using Spk.Engine.Devices;
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

    /// <summary>Reads one crop per row.</summary>
    /// <param name="device">Where the batch lives.</param>
    /// <param name="source">The recordings.</param>
    /// <param name="crops">What each row holds.</param>
    /// <param name="samples">Samples of a row, L, 1 or more.</param>
    /// <returns>f32 [N, L] in the device's workspace: sample / 32768 · gain.</returns>
    /// <exception cref="InvalidOptionException">A crop names an utterance or a start that is not there, or a gain or speed out of range.</exception>
    /// <exception cref="DataFormatException">An utterance is empty.</exception>
    public static unsafe Tensor Forward(Device device, PcmSource source, ReadOnlySpan<CropRequest> crops, int samples)
    {
        ArgumentNullException.ThrowIfNull(device);
        ArgumentNullException.ThrowIfNull(source);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(samples);
        var cpu = Cpu.Of(device);
        var waves = device.Workspace.Rent(new Shape(crops.Length, samples));
        var items = (Item*)device.Workspace.Rent(new Shape(crops.Length, sizeof(Item) / sizeof(int)), ElementType.Int32).Address;
        for (int row = 0; row < crops.Length; row++)
        {
            items[row] = Resolve(source, crops[row]);
        }

        ForwardCpu(cpu, items, waves);
        GC.KeepAlive(source);
        return waves;
    }

    private static unsafe Item Resolve(PcmSource source, in CropRequest crop)
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

    private unsafe struct Item
    {
        public short* Data;
        public int Length;
        public int Start;
        public float Scale;
        public float Speed;
    }
}
