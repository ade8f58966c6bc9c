using Spk.Engine.Numerics;

namespace Spk.Training.Data.Synthesis;

/// <summary>What belongs to a speaker: larynx, vocal tract and habits. Nothing here changes between utterances.</summary>
internal sealed class Voice
{
    /// <summary>Formants of the model; the fourth and above hardly move in speech.</summary>
    public const int FormantCount = 7;

    private static readonly float[] HighFormants = [3450, 4450, 5450, 6450];

    private readonly float[,] _vowelHabit;
    private readonly float[] _formantFactor = new float[FormantCount];

    /// <summary>Draws a speaker.</summary>
    public Voice(ulong seed, int speaker)
    {
        var random = new CounterRandom(seed, RandomPurpose.Synthesis, epoch: 1, item: speaker);
        bool low = random.NextFloat() < 0.5f;
        Pitch = low ? 112f * MathF.Exp(0.15f * random.NextNormal()) : 195f * MathF.Exp(0.13f * random.NextNormal());
        float tract = (low ? 0.93f : 1.1f) * MathF.Exp(0.07f * random.NextNormal());
        for (int i = 0; i < FormantCount; i++)
        {
            _formantFactor[i] = tract * MathF.Exp((i < 2 ? 0.05f : 0.075f) * random.NextNormal());
        }

        _vowelHabit = new float[Phone.Vowels.Length, 3];
        for (int i = 0; i < _vowelHabit.Length; i++)
        {
            _vowelHabit[i / 3, i % 3] = MathF.Exp(0.05f * random.NextNormal());
        }

        Bandwidth = MathF.Exp(0.35f * random.NextNormal());
        OpenQuotient = random.NextFloat(0.4f, 0.8f);
        TiltHz = 500f * MathF.Exp(random.NextFloat(0f, 2.5f));
        Jitter = random.NextFloat(0.003f, 0.02f);
        Shimmer = random.NextFloat(0.02f, 0.12f);
        Breath = MathF.Pow(10, random.NextFloat(-2.4f, -0.6f));
        Sibilance = tract * MathF.Exp(0.08f * random.NextNormal());
        FricationGain = MathF.Exp(0.8f * random.NextNormal());
        Rate = MathF.Exp(0.18f * random.NextNormal());
        PitchRange = random.NextFloat(0.05f, 0.2f);
    }

    /// <summary>Usual fundamental frequency, Hz.</summary>
    public float Pitch { get; }

    /// <summary>Factor on all bandwidths.</summary>
    public float Bandwidth { get; }

    /// <summary>Share of a period in which the glottis is open.</summary>
    public float OpenQuotient { get; }

    /// <summary>Frequency above which the voice source falls by a further 6 dB an octave.</summary>
    public float TiltHz { get; }

    /// <summary>Relative deviation of a period from its neighbours.</summary>
    public float Jitter { get; }

    /// <summary>Relative deviation of a pulse's amplitude from its neighbours.</summary>
    public float Shimmer { get; }

    /// <summary>Amplitude of the noise that comes with voicing.</summary>
    public float Breath { get; }

    /// <summary>Factor on the centre frequencies of constriction noise.</summary>
    public float Sibilance { get; }

    /// <summary>Factor on the amplitude of constriction noise.</summary>
    public float FricationGain { get; }

    /// <summary>Speaking rate; 1 is average.</summary>
    public float Rate { get; }

    /// <summary>Relative swing of the intonation.</summary>
    public float PitchRange { get; }

    /// <summary>A formant of this speaker's version of a phone, Hz.</summary>
    public float Formant(in Phone phone, int index)
    {
        if (index >= 3)
        {
            return HighFormants[index - 3] * _formantFactor[index];
        }

        float target = index switch { 0 => phone.F1, 1 => phone.F2, _ => phone.F3 };
        return target * _formantFactor[index] * (phone.VowelIndex >= 0 ? _vowelHabit[phone.VowelIndex, index] : 1f);
    }
}
