namespace Spk.Engine.Audio;

/// <summary>How one sample of a WAV file is stored.</summary>
public enum SampleFormat
{
    /// <summary>Unsigned 8-bit integer, 128 is silence.</summary>
    Pcm8,

    /// <summary>Signed 16-bit integer.</summary>
    Pcm16,

    /// <summary>Signed 24-bit integer.</summary>
    Pcm24,

    /// <summary>Signed 32-bit integer.</summary>
    Pcm32,

    /// <summary>32-bit floating point.</summary>
    Float32,

    /// <summary>64-bit floating point.</summary>
    Float64,
}

/// <summary>What the header of a WAV file says, held against the file's real length.</summary>
/// <param name="SampleRate">Frames per second.</param>
/// <param name="Channels">Samples per frame, 1 or more.</param>
/// <param name="Format">How a sample is stored.</param>
/// <param name="Frames">Frames promised by the header; where a streaming writer left it open, frames present.</param>
/// <param name="FramesPresent">Whole frames the file really holds.</param>
public readonly record struct AudioInfo(int SampleRate, int Channels, SampleFormat Format, long Frames, long FramesPresent)
{
    /// <summary>Whether the file ends before the promised samples do.</summary>
    public bool IsTruncated => FramesPresent < Frames;

    /// <summary>Whether samples are floating point and could therefore be NaN or infinite.</summary>
    public bool IsFloat => Format is SampleFormat.Float32 or SampleFormat.Float64;

    /// <summary>Length in seconds of what is present.</summary>
    public double Seconds => (double)FramesPresent / SampleRate;
}
