using Spk.Engine.Alignment;

namespace Spk.Training.Alignment;

/// <summary>What a training of an aligner gave.</summary>
/// <param name="Aligner">The aligner of the best epoch.</param>
/// <param name="BestEpoch">The epoch it is of; 0 is before training.</param>
/// <param name="Epochs">All epochs, that before training first; empty where nothing is trained.</param>
/// <param name="Utterances">Utterances it was learnt from, without those held back.</param>
/// <param name="Speakers">Speakers it was learnt from.</param>
/// <param name="HeldBack">Speakers held back.</param>
public sealed record AlignmentOutcome(Aligner Aligner, int BestEpoch, IReadOnlyList<AlignmentProgress> Epochs, int Utterances, int Speakers, int HeldBack);
