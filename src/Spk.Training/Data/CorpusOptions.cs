using Spk.Engine.Audio;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>How the files of a corpus become 16-bit mono samples.</summary>
public sealed record CorpusOptions
{
    /// <summary>Sample rate of the corpus in Hz, above 0.</summary>
    public int SampleRate { get; init; } = 16000;

    /// <summary>What is done with several channels.</summary>
    public ChannelPolicy Channels { get; init; } = ChannelPolicy.RequireMono;

    /// <summary>Whether files of another rate are resampled; otherwise they are refused.</summary>
    public bool Resample { get; init; }

    internal void Validate()
    {
        if (SampleRate is < 1000 or > 384000)
        {
            throw new InvalidOptionException($"data.sampleRate = {SampleRate}: allowed are 1000 to 384000 Hz.");
        }
    }
}
