namespace Spk.Training.Data;

/// <summary>One recording of one speaker.</summary>
/// <param name="Id">Name used by trials and embeddings: the path relative to the data root with '/' between folders, or Kaldi's utterance id.</param>
/// <param name="Path">Absolute path of the audio file; for an utterance of a pack, the pack.</param>
/// <param name="Speaker">Speaker label; null where unknown.</param>
/// <param name="Session">Recording session; null where unknown.</param>
/// <param name="DurationSeconds">Length that the manifest states, in seconds; null where it does not.</param>
public sealed record Utterance(string Id, string Path, string? Speaker = null, string? Session = null, double? DurationSeconds = null);
