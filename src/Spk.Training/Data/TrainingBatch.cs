using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Training.Data;

/// <summary>Crops of some utterances. The object and its memory are used again for the next batch.</summary>
public sealed class TrainingBatch
{
    private readonly int[] _utterances;
    private readonly int[] _speakers;
    private readonly int[] _cropUtterances;

    internal TrainingBatch(int size, int views)
    {
        _utterances = new int[size];
        _speakers = new int[size];
        _cropUtterances = new int[size * views];
        Views = views;
        Waves = null!;
    }

    /// <summary>The device that holds the crops.</summary>
    public Device Device => Waves.Device;

    /// <summary>
    /// Samples in ±1, f32 [V·B, L]: all first views, then all second views, and so on; in the device's workspace. Where processes train together,
    /// the rows of this process only, unlike the speakers and utterances.
    /// </summary>
    public Tensor Waves { get; internal set; }

    /// <summary>Short crops of the same utterances, f32 [Vₗ·B, Lₗ], view-major, where <see cref="BatchOptions.LocalViews"/> asks for them; else null.</summary>
    public Tensor? LocalWaves { get; internal set; }

    /// <summary>An unchanged segment of each utterance, f32 [B, Lᵣ], where <see cref="BatchOptions.ReferenceSamples"/> asks for it; else null.</summary>
    public Tensor? ReferenceWaves { get; internal set; }

    /// <summary>Speaker of each of the B rows as an index into <see cref="Corpus.Speakers"/>, −1 where unknown.</summary>
    public ReadOnlySpan<int> Speakers => _speakers;

    /// <summary>Indices of the B utterances in the corpus; of rows that are dialogues or speakers, the first of their utterances.</summary>
    public ReadOnlySpan<int> Utterances => _utterances;

    /// <summary>The utterance that each of the V·B crops of <see cref="Waves"/> was cut from, view-major.</summary>
    public ReadOnlySpan<int> CropUtterances => _cropUtterances;

    /// <summary>Crops of each row, V.</summary>
    public int Views { get; }

    /// <summary>Number of rows, B.</summary>
    public int Size => _utterances.Length;

    internal Span<int> UtterancesForWrite => _utterances;

    internal Span<int> SpeakersForWrite => _speakers;

    internal Span<int> CropUtterancesForWrite => _cropUtterances;
}
