namespace Spk.Engine.Audio;

/// <summary>What becomes of a recording with several channels.</summary>
public enum ChannelPolicy
{
    /// <summary>Refuse it: the caller has to decide.</summary>
    RequireMono,

    /// <summary>Take the first channel.</summary>
    First,

    /// <summary>Take the mean of all channels.</summary>
    Mean,
}
