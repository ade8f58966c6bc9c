using System.Numerics.Tensors;
using Spk.Engine.Numerics;

namespace Spk.Training.Data.Synthesis;

/// <summary>What belongs to a recording and not to the speaker: microphone, room, background noise and level.</summary>
internal sealed class RecordingSession
{
    private const int Reflections = 24;
    private const int Bells = 3;

    private readonly float _rate;
    private readonly float _highPass, _lowPass, _noiseColor, _noiseDecibels, _level;
    private readonly (float Hz, float Q, float Decibels)[] _bells = new (float, float, float)[Bells];
    private readonly (int Delay, float Gain)[] _room = new (int, float)[Reflections];

    /// <summary>Draws a session.</summary>
    public RecordingSession(ulong seed, int session, int rate)
    {
        var random = new CounterRandom(seed, RandomPurpose.Synthesis, epoch: 4, item: session);
        _rate = rate;
        _highPass = random.NextFloat(50, 220);
        _lowPass = random.NextFloat(6500, 7900);
        for (int i = 0; i < Bells; i++)
        {
            _bells[i] = (150f * MathF.Exp(random.NextFloat(0, 3.7f)), random.NextFloat(0.6f, 1.8f), 3f * random.NextNormal());
        }

        float decay = random.NextFloat(0.01f, 0.06f), wet = random.NextFloat(0.01f, 0.06f);
        for (int i = 0; i < Reflections; i++)
        {
            float seconds = 0.002f + (random.NextFloat() * 2.5f * decay);
            float sign = random.NextFloat() < 0.5f ? -1 : 1;
            _room[i] = ((int)(seconds * rate), sign * wet * MathF.Exp(-seconds / decay));
        }

        _noiseColor = random.NextFloat(0.6f, 1.4f);
        _noiseDecibels = random.NextFloat(32, 40);
        _level = random.NextFloat(-28, -22);
    }

    /// <summary>Records an utterance.</summary>
    /// <param name="speech">What leaves the lips.</param>
    /// <param name="seed">The corpus' seed.</param>
    /// <param name="item">Which utterance; decides noise and level.</param>
    /// <returns>The recording, as long as the utterance.</returns>
    public float[] Record(ReadOnlySpan<float> speech, ulong seed, int item)
    {
        var random = new CounterRandom(seed, RandomPurpose.Synthesis, epoch: 5, item: item);
        var wave = speech.ToArray();
        foreach (var (delay, gain) in _room)
        {
            if (delay < wave.Length)
            {
                TensorPrimitives.MultiplyAdd(speech[..^delay], gain, wave.AsSpan(delay), wave.AsSpan(delay));
            }
        }

        Filter(wave);
        float rms = RootMeanSquare(wave);
        var noise = Noises.Colored(wave.Length, _noiseColor, _rate, ref random);
        float noiseGain = rms * MathF.Pow(10, -(_noiseDecibels + (2f * random.NextNormal())) / 20) / RootMeanSquare(noise);
        TensorPrimitives.MultiplyAdd(noise, noiseGain, wave, wave);

        float gainToLevel = MathF.Pow(10, (_level + (2f * random.NextNormal())) / 20) / RootMeanSquare(wave);
        TensorPrimitives.Multiply(wave, gainToLevel, wave);
        return wave;
    }

    private void Filter(Span<float> wave)
    {
        Resonator high = default, low = default, bell0 = default, bell1 = default, bell2 = default;
        high.SetPass(_highPass, high: true, _rate);
        low.SetPass(_lowPass, high: false, _rate);
        bell0.SetPeak(_bells[0].Hz, _bells[0].Q, _bells[0].Decibels, _rate);
        bell1.SetPeak(_bells[1].Hz, _bells[1].Q, _bells[1].Decibels, _rate);
        bell2.SetPeak(_bells[2].Hz, _bells[2].Q, _bells[2].Decibels, _rate);
        foreach (ref float sample in wave)
        {
            sample = bell2.Next(bell1.Next(bell0.Next(low.Next(high.Next(sample)))));
        }
    }

    private static float RootMeanSquare(ReadOnlySpan<float> wave) =>
        MathF.Sqrt((TensorPrimitives.SumOfSquares(wave) / wave.Length) + 1e-12f);
}
