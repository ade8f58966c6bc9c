using Spk.Engine.Audio;
using Spk.Training.Data;

namespace Spk.Training.Recipes;

/// <summary>Where the audio is, how it is cut into views and how they are augmented.</summary>
public sealed record DataSection
{
    /// <summary>Folder that holds the corpus; the other paths of this section are relative to it.</summary>
    public string Root { get; init; } = ".";

    /// <summary>Training manifest: a CSV, a Kaldi directory or a folder of WAV files.</summary>
    public string Train { get; init; } = "train.csv";

    /// <summary>A file made by <c>spk data pack</c> to train from instead of the WAV files of <see cref="Train"/>; null for none.</summary>
    public string? Pack { get; init; }

    /// <summary>What to do with files of several channels.</summary>
    public ChannelPolicy Channels { get; init; } = ChannelPolicy.RequireMono;

    /// <summary>Whether files of another sample rate than the features' are resampled; otherwise they are an error.</summary>
    public bool Resample { get; init; }

    /// <summary>Training speakers held back for the development trials; 0 for none. They are never trained on.</summary>
    public int DevSpeakers { get; init; }

    /// <summary>Length of a crop, seconds.</summary>
    public float CropSeconds { get; init; } = 1f;

    /// <summary>Crops (views) of an utterance in a batch.</summary>
    public int Views { get; init; } = 2;

    /// <summary>How the crops of one utterance lie to each other.</summary>
    public CropPairing Pairing { get; init; } = CropPairing.Apart;

    /// <summary>Noise, rooms, gain and speed.</summary>
    public AugmentationSection Augmentation { get; init; } = new();

    /// <summary>Samples of a crop.</summary>
    internal int CropSamples(int sampleRate) => (int)MathF.Round(CropSeconds * sampleRate);
}

/// <summary>Random changes made to every crop independently: reverberation, then noise.</summary>
public sealed record AugmentationSection
{
    /// <summary>Folder of noise recordings; null for none. Sub-folders named noise, speech and music are categories.</summary>
    public string? Noise { get; init; } = "noise";

    /// <summary>Folder of room impulse responses; null for none.</summary>
    public string? Rir { get; init; } = "rir";

    /// <summary>Probability of reverberation.</summary>
    public float ReverbProbability { get; init; }

    /// <summary>Probability of noise.</summary>
    public float NoiseProbability { get; init; }

    /// <summary>Lowest signal-to-noise ratio, dB.</summary>
    public float SnrMinimumDb { get; init; }

    /// <summary>Highest signal-to-noise ratio, dB.</summary>
    public float SnrMaximumDb { get; init; } = 15f;

    /// <summary>Lowest gain, dB.</summary>
    public float GainMinimumDb { get; init; }

    /// <summary>Highest gain, dB.</summary>
    public float GainMaximumDb { get; init; }

    /// <summary>Speed factors drawn with equal probability; empty for none.</summary>
    public IReadOnlyList<float> Speeds { get; init; } = [];
}
