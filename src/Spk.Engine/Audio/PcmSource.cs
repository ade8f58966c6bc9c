namespace Spk.Engine.Audio;

/// <summary>Utterances as 16-bit mono samples in memory that never moves: mapped from a file, or pinned.</summary>
/// <remarks>Crops are read from several threads straight from these spans, without a copy in between.</remarks>
public abstract class PcmSource
{
    /// <summary>Number of utterances.</summary>
    public abstract int Count { get; }

    /// <summary>All samples of one utterance. The memory stays at its address as long as the source lives.</summary>
    /// <param name="index">0 to <see cref="Count"/> − 1.</param>
    /// <returns>16-bit samples; ±32768 is full scale.</returns>
    public abstract ReadOnlySpan<short> Utterance(int index);
}
