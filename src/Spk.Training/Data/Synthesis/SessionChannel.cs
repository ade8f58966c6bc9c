using System.Numerics.Tensors;
using Spk.Engine.Numerics;

namespace Spk.Training.Data.Synthesis;

/// <summary>
/// A strong channel that all recordings of a session share: filter, room, noise floor and gain. A filter alone would leave no trace in features
/// whose mean over time is removed; it does here because it decides, band by band, how far speech stands out of the noise.
/// </summary>
/// <remarks>Room: parallel combs and serial all-passes (M. Schroeder, "Natural sounding artificial reverberation", JAES 1962).</remarks>
internal sealed class SessionChannel
{
    private const int Bells = 7, Combs = 4, AllPasses = 2;

    private readonly float _rate, _wet, _decay, _noiseColor, _noiseDecibels, _gainDecibels, _highPass, _lowPass;
    private readonly (float Hz, float Q, float Decibels)[] _speechBells, _noiseBells;
    private readonly int[] _delays = new int[Combs + AllPasses];

    /// <summary>Draws a channel.</summary>
    /// <param name="seed">The corpus' seed.</param>
    /// <param name="channel">Which channel.</param>
    /// <param name="rate">Samples per second.</param>
    /// <param name="strength">0, which changes next to nothing, to 1.</param>
    public SessionChannel(ulong seed, int channel, int rate, float strength)
    {
        var random = new CounterRandom(seed, RandomPurpose.Synthesis, epoch: 9, item: channel);
        _rate = rate;
        _highPass = 40f * MathF.Exp(strength * random.NextFloat(0, 2.5f));
        _lowPass = 7500f * MathF.Exp(-strength * random.NextFloat(0, 1.1f));
        _speechBells = Draw(ref random, 12f * strength);
        _noiseBells = Draw(ref random, 12f * strength);
        _decay = random.NextFloat(0.15f, 0.6f);
        _wet = strength * random.NextFloat(0, 0.6f);
        for (int i = 0; i < _delays.Length; i++)
        {
            // Seconds; odd numbers of samples have few factors in common.
            float delay = i < Combs ? random.NextFloat(0.02f, 0.05f) : random.NextFloat(0.002f, 0.008f);
            _delays[i] = (int)(delay * rate) | 1;
        }

        _noiseColor = random.NextFloat(0, 2);
        _noiseDecibels = 45 - (strength * random.NextFloat(15, 30));
        _gainDecibels = strength * random.NextFloat(-10, 6);
    }

    /// <summary>Sends a recording through the channel.</summary>
    /// <param name="wave">The recording; changed in place.</param>
    /// <param name="seed">The corpus' seed.</param>
    /// <param name="item">Which utterance; decides the noise's samples, not its spectrum.</param>
    public void Apply(float[] wave, ulong seed, int item)
    {
        var random = new CounterRandom(seed, RandomPurpose.Synthesis, epoch: 10, item: item);
        Limit(wave);
        Filter(wave, _speechBells);
        Reverberate(wave);

        // The noise of what follows the microphone: it also fills the bands that the microphone leaves out.
        float[] noise = Noises.Colored(wave.Length, _noiseColor, _rate, ref random);
        Filter(noise, _noiseBells);
        float level = RootMeanSquare(wave);
        TensorPrimitives.MultiplyAdd(noise, level * MathF.Pow(10, -_noiseDecibels / 20) / RootMeanSquare(noise), wave, wave);
        TensorPrimitives.Multiply(wave, MathF.Pow(10, _gainDecibels / 20), wave);

        // Louder than full scale would be clipped, which is another channel.
        float peak = MathF.Abs(TensorPrimitives.MaxMagnitude<float>(wave));
        if (peak > 0.98f)
        {
            TensorPrimitives.Multiply(wave, 0.98f / peak, wave);
        }
    }

    private static (float Hz, float Q, float Decibels)[] Draw(ref CounterRandom random, float decibels)
    {
        var bells = new (float, float, float)[Bells];
        for (int i = 0; i < Bells; i++)
        {
            // One in each of as many parts of the logarithmic axis from 120 Hz to 7 kHz.
            float hz = 120f * MathF.Exp(4.07f * (i + random.NextFloat()) / Bells);
            bells[i] = (hz, random.NextFloat(0.8f, 2.5f), decibels * random.NextNormal());
        }

        return bells;
    }

    private void Limit(Span<float> wave)
    {
        Resonator high = default, low = default;
        high.SetPass(_highPass, high: true, _rate);
        low.SetPass(_lowPass, high: false, _rate);
        Run(ref high, wave);
        Run(ref low, wave);
    }

    private void Filter(Span<float> wave, (float Hz, float Q, float Decibels)[] bells)
    {
        foreach (var (hz, q, decibels) in bells)
        {
            Resonator filter = default;
            filter.SetPeak(hz, q, decibels, _rate);
            Run(ref filter, wave);
        }
    }

    private static void Run(ref Resonator filter, Span<float> wave)
    {
        foreach (ref float sample in wave)
        {
            sample = filter.Next(sample);
        }
    }

    private void Reverberate(Span<float> wave)
    {
        if (_wet <= 0)
        {
            return;
        }

        var tail = new float[wave.Length];
        for (int c = 0; c < Combs; c++)
        {
            int delay = _delays[c];
            float feedback = MathF.Pow(10, -3f * delay / (_decay * _rate));
            var comb = wave.ToArray();
            for (int i = delay; i < comb.Length; i++)
            {
                comb[i] += feedback * comb[i - delay];
            }

            // Without the direct sound, which is in the wave already.
            for (int i = delay; i < comb.Length; i++)
            {
                tail[i] += (comb[i] - wave[i]) / Combs;
            }
        }

        for (int a = Combs; a < _delays.Length; a++)
        {
            AllPass(tail, _delays[a]);
        }

        TensorPrimitives.MultiplyAdd(tail, _wet, wave, wave);
    }

    private static void AllPass(Span<float> wave, int delay)
    {
        const float Gain = 0.7f;
        var state = new float[wave.Length];
        for (int i = 0; i < wave.Length; i++)
        {
            float delayed = i < delay ? 0 : state[i - delay];
            state[i] = wave[i] + (Gain * delayed);
            wave[i] = delayed - (Gain * state[i]);
        }
    }

    private static float RootMeanSquare(ReadOnlySpan<float> wave) => MathF.Sqrt((TensorPrimitives.SumOfSquares(wave) / wave.Length) + 1e-12f);
}
