namespace Spk.Training.Data;

/// <summary>In what order an epoch goes through the utterances.</summary>
public enum BatchSampling
{
    /// <summary>A random order of all utterances, each once.</summary>
    Uniform,

    /// <summary>
    /// A random order of the speakers again and again, each time with another utterance of theirs: all speakers equally often, whatever they
    /// recorded. As long as a uniform epoch, so that some utterances come several times and others not at all. Needs speaker labels.
    /// </summary>
    SpeakerBalanced,
}

/// <summary>What the crops of a row are cut from.</summary>
public enum PositivePairing
{
    /// <summary>One utterance: self-supervised.</summary>
    SameUtterance,

    /// <summary>
    /// The second crop, and every other one after it, from another utterance of the same speaker: what self-supervised positives would be at
    /// their best. An oracle: needs speaker labels. A speaker of a single utterance is its own partner.
    /// </summary>
    SameSpeaker,
}
