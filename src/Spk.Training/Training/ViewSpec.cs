using Spk.Interop;

namespace Spk.Training;

/// <summary>Augmented views of recordings, to be embedded once for clustering that compares them with each other.</summary>
public sealed record ViewSpec
{
    /// <summary>Number of views, 2 or more. In turn: noise, noise, music or babble, reverberation.</summary>
    public int Views { get; init; } = 4;

    /// <summary>Folder of noise recordings with sub-folders <c>speech</c> and <c>music</c>, or a pack of one; null for synthetic noise and babble of the recordings.</summary>
    public string? Noise { get; init; }

    /// <summary>Folder of room impulse responses; null for synthetic ones.</summary>
    public string? Rir { get; init; }

    /// <summary>Lowest signal-to-noise ratio, dB, −30 to 60; for music and babble too.</summary>
    public float SnrMinimumDb { get; init; }

    /// <summary>Highest signal-to-noise ratio, dB, −30 to 60.</summary>
    public float SnrMaximumDb { get; init; } = 15f;

    /// <summary>Longest stretch of a recording that is embedded, in seconds, above 0: a random one of longer recordings.</summary>
    public double LongestSeconds { get; init; } = 20;

    /// <summary>Seed of everything random.</summary>
    public ulong Seed { get; init; }

    /// <summary>Checks the ranges; those of levels are checked where they are used.</summary>
    /// <exception cref="InvalidOptionException">A value is out of range; the message names it.</exception>
    public void Validate()
    {
        if (Views < 2)
        {
            throw new InvalidOptionException($"views = {Views}: allowed are 2 or more.");
        }

        if (!(LongestSeconds > 0))
        {
            throw new InvalidOptionException(FormattableString.Invariant($"longestSeconds = {LongestSeconds}: allowed are numbers above 0."));
        }
    }
}
