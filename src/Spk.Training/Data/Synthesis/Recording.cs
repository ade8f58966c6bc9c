namespace Spk.Training.Data.Synthesis;

/// <summary>A synthetic utterance that is to be recorded.</summary>
/// <param name="Utterance">Name, file and labels.</param>
/// <param name="Speaker">Whose voice.</param>
/// <param name="Session">Microphone, room and noise.</param>
/// <param name="Item">Number of the utterance in the corpus: what is said.</param>
/// <param name="Samples">Length.</param>
internal sealed record Recording(Utterance Utterance, int Speaker, int Session, int Item, int Samples);
