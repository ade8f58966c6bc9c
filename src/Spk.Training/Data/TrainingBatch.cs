using Spk.Engine.Tensors;

namespace Spk.Training.Data;

/// <summary>Crops of some utterances. The object and its memory are used again for the next batch.</summary>
public sealed class TrainingBatch
{
    private readonly int[] _utterances;
    private readonly int[] _speakers;

    internal TrainingBatch(int size, int views)
    {
        _utterances = new int[size];
        _speakers = new int[size];
        Views = views;
        Waves = null!;
    }

    /// <summary>Samples in ±1, f32 [V·B, L]: all first views, then all second views, and so on; in the device's workspace.</summary>
    public Tensor Waves { get; internal set; }

    /// <summary>Speaker of each of the B utterances as an index into <see cref="Corpus.Speakers"/>, −1 where unknown.</summary>
    public ReadOnlySpan<int> Speakers => _speakers;

    /// <summary>Indices of the B utterances in the corpus.</summary>
    public ReadOnlySpan<int> Utterances => _utterances;

    /// <summary>Crops of each utterance, V.</summary>
    public int Views { get; }

    /// <summary>Number of utterances, B.</summary>
    public int Size => _utterances.Length;

    internal Span<int> UtterancesForWrite => _utterances;

    internal Span<int> SpeakersForWrite => _speakers;
}
