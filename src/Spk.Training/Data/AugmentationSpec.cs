using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>
/// Random changes of a crop, in this order: speed and gain while it is cut, then reverberation, then noise; each crop on its own.
/// Equations and usual ranges: see <see cref="Engine.Ops.Audio.MixNoise"/> and <see cref="Engine.Ops.Audio.ConvolveRir"/>.
/// </summary>
public sealed record AugmentationSpec
{
    /// <summary>Probability of reverberation, 0 to 1.</summary>
    public float ReverbProbability { get; init; }

    /// <summary>Probability of noise, 0 to 1.</summary>
    public float NoiseProbability { get; init; }

    /// <summary>
    /// Folder of noise recordings, or a pack of one, relative to the data root; null for synthetic noise and babble of the corpus' own
    /// utterances. Files in its sub-folders <c>speech</c> and <c>music</c> have their own ranges; the category is drawn first.
    /// </summary>
    public string? Noise { get; init; }

    /// <summary>Kinds of recordings to draw from; all where there is none of these.</summary>
    internal NoiseKinds NoiseKinds { get; init; } = NoiseKinds.All;

    /// <summary>Folder of room impulse responses, relative to the data root; null for synthetic ones.</summary>
    public string? Rir { get; init; }

    /// <summary>Lowest signal-to-noise ratio of noise, dB, −30 to 60.</summary>
    public float SnrMinimumDb { get; init; }

    /// <summary>Highest signal-to-noise ratio of noise, dB, −30 to 60.</summary>
    public float SnrMaximumDb { get; init; } = 15f;

    /// <summary>Lowest ratio to speech of others, dB.</summary>
    public float SpeechSnrMinimumDb { get; init; } = 13f;

    /// <summary>Highest ratio to speech of others, dB.</summary>
    public float SpeechSnrMaximumDb { get; init; } = 20f;

    /// <summary>Lowest ratio to music, dB.</summary>
    public float MusicSnrMinimumDb { get; init; } = 5f;

    /// <summary>Highest ratio to music, dB.</summary>
    public float MusicSnrMaximumDb { get; init; } = 15f;

    /// <summary>Lowest gain, dB, −40 to 40; drawn uniformly in dB.</summary>
    public float GainMinimumDb { get; init; }

    /// <summary>Highest gain, dB, −40 to 40.</summary>
    public float GainMaximumDb { get; init; }

    /// <summary>Speed factors drawn with equal probability, 0.5 to 2 each; empty for the speed as it is.</summary>
    public IReadOnlyList<float> Speeds { get; init; } = [];

    /// <summary>Whether anything is ever changed.</summary>
    public bool IsIdentity =>
        ReverbProbability == 0 && NoiseProbability == 0 && GainMinimumDb == 0 && GainMaximumDb == 0 && Speeds.All(s => s == 1f);

    /// <summary>The largest speed factor.</summary>
    public float MaximumSpeed => Speeds.Count == 0 ? 1f : Speeds.Max();

    /// <summary>Checks every value.</summary>
    /// <param name="field">Name of this block in the recipe, for messages.</param>
    /// <exception cref="InvalidOptionException">A value is outside its range; the message names the field and the range.</exception>
    public void Validate(string field = "data.augmentation")
    {
        Require(ReverbProbability, 0, 1, field, "reverbProbability");
        Require(NoiseProbability, 0, 1, field, "noiseProbability");
        RequireRange(SnrMinimumDb, SnrMaximumDb, -30, 60, field, "snr");
        RequireRange(SpeechSnrMinimumDb, SpeechSnrMaximumDb, -30, 60, field, "speechSnr");
        RequireRange(MusicSnrMinimumDb, MusicSnrMaximumDb, -30, 60, field, "musicSnr");
        RequireRange(GainMinimumDb, GainMaximumDb, -40, 40, field, "gain");
        foreach (float speed in Speeds)
        {
            Require(speed, 0.5f, 2, field, "speeds");
        }
    }

    private static void RequireRange(float low, float high, float least, float most, string field, string name)
    {
        Require(low, least, most, field, name + "MinimumDb");
        Require(high, least, most, field, name + "MaximumDb");
        if (low > high)
        {
            throw new InvalidOptionException(FormattableString.Invariant($"{field}.{name}MinimumDb = {low} is above {name}MaximumDb = {high}."));
        }
    }

    private static void Require(float value, float least, float most, string field, string name)
    {
        if (!(value >= least && value <= most))
        {
            throw new InvalidOptionException(FormattableString.Invariant($"{field}.{name} = {value}: allowed are {least} to {most}."));
        }
    }
}
