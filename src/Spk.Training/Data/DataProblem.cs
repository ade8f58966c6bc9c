namespace Spk.Training.Data;

/// <summary>What is wrong with a piece of data.</summary>
public enum DataProblemKind
{
    /// <summary>A manifest or trial list cannot be read as what it should be.</summary>
    MalformedList,

    /// <summary>A manifest lists no utterance.</summary>
    EmptyManifest,

    /// <summary>Two utterances have one id.</summary>
    DuplicateId,

    /// <summary>An audio file does not exist.</summary>
    Missing,

    /// <summary>An audio file is not WAV, is damaged, or cannot be opened.</summary>
    Unreadable,

    /// <summary>An audio file ends before the samples its header promises.</summary>
    Truncated,

    /// <summary>An audio file has no samples.</summary>
    NoSamples,

    /// <summary>An audio file has another sample rate than asked for.</summary>
    WrongSampleRate,

    /// <summary>An audio file has several channels and no channel policy allows that.</summary>
    SeveralChannels,

    /// <summary>An audio file is shorter than the least length asked for.</summary>
    TooShort,

    /// <summary>An audio file holds a NaN or an infinite sample.</summary>
    NonFinite,

    /// <summary>A manifest states another duration than the file has.</summary>
    WrongDuration,

    /// <summary>An utterance has no speaker label.</summary>
    UnlabelledSpeaker,

    /// <summary>A trial names an utterance that no manifest lists.</summary>
    TrialOfAbsentUtterance,

    /// <summary>A trial list has no target trials or no non-target trials.</summary>
    OneSidedTrials,

    /// <summary>A speaker is in both the training and the evaluation manifest.</summary>
    SpeakerInBothParts,

    /// <summary>A list of dialogues names an utterance that the manifest does not list.</summary>
    DialogueOfAbsentUtterance,

    /// <summary>A dialogue has a single utterance, and nothing to compare it with.</summary>
    SingleUtteranceDialogue,

    /// <summary>A device hears two utterances at once.</summary>
    OverlappingTimes,

    /// <summary>Every dialogue has several speakers.</summary>
    OnlyMixedDialogues,
}

/// <summary>One thing that is wrong.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Subject">The file, utterance or speaker it is about.</param>
/// <param name="Message">One sentence: what is wrong, where, and the fix.</param>
/// <param name="IsError">False for what is worth knowing but prevents nothing.</param>
public sealed record DataProblem(DataProblemKind Kind, string Subject, string Message, bool IsError = true);
