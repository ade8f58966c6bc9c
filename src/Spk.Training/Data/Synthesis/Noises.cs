using System.Numerics.Tensors;
using Spk.Engine.Numerics;

namespace Spk.Training.Data.Synthesis;

/// <summary>Synthetic noise and room responses, for corpora without recorded ones.</summary>
internal static class Noises
{
    private const int Octaves = 10;

    /// <summary>Noise whose power falls like 1/f^slope.</summary>
    /// <param name="samples">Length.</param>
    /// <param name="slope">0 (white) to 2 (brown).</param>
    /// <param name="rate">Samples per second.</param>
    /// <param name="random">Source of the numbers.</param>
    public static float[] Colored(int samples, float slope, float rate, ref CounterRandom random)
    {
        // A sum of low-passes, one an octave, with gains ∝ cutoff^(−slope/2) falls like f^(−slope/2) in amplitude.
        Span<float> smoothing = stackalloc float[Octaves], gain = stackalloc float[Octaves], state = stackalloc float[Octaves];
        state.Clear();
        for (int k = 0; k < Octaves; k++)
        {
            float cutoff = rate * MathF.Pow(2, -1 - k);
            smoothing[k] = 1f - MathF.Exp(-2f * MathF.PI * cutoff / rate);
            gain[k] = slope == 0 ? 0 : MathF.Pow(cutoff / rate, -slope / 2);
        }

        float direct = slope == 0 ? 1 : 0;
        var noise = new float[samples];
        for (int i = 0; i < samples; i++)
        {
            float white = ((int)random.NextWord() + 0.5f) * (1f / 2147483648f), sum = direct * white;
            for (int k = 0; k < Octaves; k++)
            {
                state[k] += smoothing[k] * (white - state[k]);
                sum += gain[k] * state[k];
            }

            noise[i] = sum;
        }

        Normalize(noise, 0.05f);
        return noise;
    }

    /// <summary>Mains hum and a fan: harmonics over low noise.</summary>
    public static float[] Hum(int samples, float rate, ref CounterRandom random)
    {
        var noise = Colored(samples, 1.6f, rate, ref random);
        float mains = random.NextFloat() < 0.5f ? 50 : 60;
        for (int harmonic = 1; harmonic <= 9; harmonic++)
        {
            float level = 0.05f * random.NextFloat() / harmonic, phase = 2f * MathF.PI * random.NextFloat();
            for (int i = 0; i < samples; i++)
            {
                noise[i] += level * MathF.Sin((2f * MathF.PI * (mains * harmonic / rate * i % 1f)) + phase);
            }
        }

        Normalize(noise, 0.05f);
        return noise;
    }

    /// <summary>A room response: direct sound at sample 0, then Gaussian noise that decays by 60 dB in a given time.</summary>
    /// <param name="decaySeconds">Reverberation time (RT60).</param>
    /// <param name="rate">Samples per second.</param>
    /// <param name="random">Source of the numbers.</param>
    public static float[] Room(float decaySeconds, float rate, ref CounterRandom random)
    {
        int length = Math.Max(1, (int)(decaySeconds * rate));
        int gap = (int)(random.NextFloat(0.001f, 0.008f) * rate);
        float level = random.NextFloat(0.02f, 0.12f), step = MathF.Exp(-6.9078f / (decaySeconds * rate));
        var response = new float[length];
        response[0] = 1;
        for (int i = Math.Max(1, gap); i < length; i++)
        {
            response[i] = level * random.NextNormal();
            level *= step;
        }

        return response;
    }

    /// <summary>Scales to a root mean square, less where a peak would clip.</summary>
    public static void Normalize(Span<float> wave, float rms)
    {
        float present = MathF.Sqrt((TensorPrimitives.SumOfSquares(wave) / wave.Length) + 1e-20f);
        float peak = TensorPrimitives.MaxMagnitude(wave);
        TensorPrimitives.Multiply(wave, Math.Min(rms / present, 0.98f / Math.Max(MathF.Abs(peak), 1e-20f)), wave);
    }
}
