namespace Spk.Training.Data;

/// <summary>What a row of a batch is.</summary>
public enum RowSource
{
    /// <summary>An utterance; its crops are the views.</summary>
    Utterances,

    /// <summary>A dialogue with a device; a crop of each of some of its utterances are the views. Rows of a batch are of distinct devices.</summary>
    Dialogues,

    /// <summary>A speaker that the manifest names; a crop of each of some of the speaker's utterances are the views.</summary>
    Speakers,
}
