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

    /// <summary>What a row of a batch is.</summary>
    public RowSource Rows { get; init; }

    /// <summary>List of dialogues, used where <see cref="Rows"/> are dialogues.</summary>
    public string Dialogues { get; init; } = "sessions.csv";

    /// <summary>
    /// Above 0: dialogues are built from the devices and times of <see cref="Dialogues"/>; seconds of silence that part two of them. 0: the list
    /// names them.
    /// </summary>
    public double DialogueGap { get; init; }

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

    /// <summary>Crops (views) of a row in a batch.</summary>
    public int Views { get; init; } = 2;

    /// <summary>Further, short crops of an utterance, which only the student of DINO sees; 0 for none.</summary>
    public int LocalViews { get; init; }

    /// <summary>Length of a short crop, seconds.</summary>
    public float LocalSeconds { get; init; } = 2f;

    /// <summary>How the crops of one utterance lie to each other.</summary>
    public CropPairing Pairing { get; init; } = CropPairing.Apart;

    /// <summary>What the crops of a row are cut from.</summary>
    public PositivePairing Positives { get; init; }

    /// <summary>In what order an epoch goes through the utterances.</summary>
    public BatchSampling Sampler { get; init; }

    /// <summary>Train on a part of the speakers only, such as "1/6" or "3-6/6": the seed deals them to so many disjoint parts. Null for all.</summary>
    public string? SpeakerPart { get; init; }

    /// <summary>Most training speakers, drawn by the seed; 0 for all.</summary>
    public int LimitSpeakers { get; init; }

    /// <summary>Most utterances of each training speaker, drawn by the seed; 0 for all.</summary>
    public int LimitUtterances { get; init; }

    /// <summary>Classes of a classifier.</summary>
    public LabelSpec Labels { get; init; } = new();

    /// <summary>Noise, rooms, gain and speed.</summary>
    public AugmentationSpec Augmentation { get; init; } = new();

    /// <summary>Samples of a crop of so many seconds.</summary>
    internal static int Samples(float seconds, int sampleRate) => (int)MathF.Round(seconds * sampleRate);
}
