using System.Text.Json;

namespace Spk.Training;

/// <summary>Means over the steps of an epoch that this process made.</summary>
internal struct EpochMeans
{
    private double _loss, _positive, _negative, _hit, _entropy, _divergence, _gradient, _length, _seconds;

    public int Steps { get; private set; }

    public readonly float Loss => (float)(_loss / Steps);

    public readonly float PositiveCosine => (float)(_positive / Steps);

    public readonly float NegativeCosine => (float)(_negative / Steps);

    public readonly float HitRate => (float)(_hit / Steps);

    public readonly float TeacherEntropy => (float)(_entropy / Steps);

    public readonly float Divergence => (float)(_divergence / Steps);

    public readonly float GradientNorm => (float)(_gradient / Steps);

    public readonly float EmbeddingNorm => (float)(_length / Steps);

    public float LearningRate { get; private set; }

    /// <summary>Harmonic mean over steps, that is utterances by time.</summary>
    public readonly float UtterancesPerSecond => (float)(Steps / _seconds);

    public void Add(in StepRecord record)
    {
        Steps++;
        _loss += record.Loss;
        _positive += record.Statistics.PositiveCosine;
        _negative += record.Statistics.NegativeCosine;
        _hit += record.Statistics.HitRate;
        _entropy += record.Statistics.TeacherEntropy;
        _divergence += record.Statistics.Divergence;
        _gradient += record.GradientNorm;
        _length += record.EmbeddingNorm;
        _seconds += 1.0 / record.UtterancesPerSecond;
        LearningRate = record.LearningRate;
    }

    /// <summary>Writes the figures that the objective has.</summary>
    public readonly void WriteTo(Utf8JsonWriter json, EmbeddingSpread spread)
    {
        json.WriteNumber("steps", Steps);
        Write(json, "loss", Loss);
        WriteKnown(json, "cosPositive", PositiveCosine);
        WriteKnown(json, "cosNegative", NegativeCosine);
        WriteKnown(json, "hit", HitRate);
        WriteKnown(json, "teacherEntropy", TeacherEntropy);
        WriteKnown(json, "divergence", Divergence);
        Write(json, "gradientNorm", GradientNorm);
        Write(json, "embeddingNorm", EmbeddingNorm);
        Write(json, "spread", spread.Spread);
        Write(json, "effectiveRank", spread.EffectiveRank);
        Write(json, "utterancesPerSecond", MathF.Round(UtterancesPerSecond, 1));
    }

    private static void WriteKnown(Utf8JsonWriter json, string name, float value)
    {
        if (!float.IsNaN(value))
        {
            Write(json, name, value);
        }
    }

    private static void Write(Utf8JsonWriter json, string name, float value)
    {
        if (float.IsFinite(value))
        {
            json.WriteNumber(name, value);
        }
        else
        {
            json.WriteNull(name);
        }
    }
}
