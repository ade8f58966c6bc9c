namespace Spk.Training.Data;

/// <summary>An utterance of a list of dialogues.</summary>
/// <param name="Utterance">Id of the utterance, as in the manifest.</param>
/// <param name="Dialogue">Its dialogue; null in a raw log, which only says when a device heard what.</param>
/// <param name="Device">The device that heard it; null where the list does not say.</param>
/// <param name="StartSeconds">When it began, seconds from any fixed moment; null where the list does not say.</param>
/// <param name="TrueSpeaker">Who spoke, for scoring only; null where unknown.</param>
public sealed record DialogueEntry(string Utterance, string? Dialogue, string? Device = null, double? StartSeconds = null, string? TrueSpeaker = null)
{
    /// <summary>Line in the list's file, from 1; 0 where it was read from none.</summary>
    internal int Line { get; init; }
}
