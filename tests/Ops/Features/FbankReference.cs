using Spk.Engine.Features;
using Spk.Engine.Numerics;

namespace Spk.Tests.Ops.Features;

/// <summary>The filterbank in f64 with a direct Fourier sum, written from the definitions and never tuned.</summary>
internal static class FbankReference
{
    public static double[] Compute(FeatureSpec spec, ReadOnlySpan<float> wave)
    {
        int frames = spec.FrameCount(wave.Length);
        var features = new List<double>();
        for (int t = 0; t < frames; t++)
        {
            int center = t * spec.FrameShift;
            int start = spec.Flavor == FeatureFlavor.Torchaudio
                ? center - (spec.FftLength / 2) + ((spec.FftLength - spec.FrameLength) / 2)
                : spec.SnipEdges ? center : center - ((spec.FrameLength / 2) - (spec.FrameShift / 2));
            var frame = new double[spec.FrameLength];
            for (int i = 0; i < frame.Length; i++)
            {
                frame[i] = wave[Fold(start + i, wave.Length, spec.Flavor == FeatureFlavor.Kaldi)] * (double)spec.Scale;
            }

            features.AddRange(Frame(spec, frame));
        }

        return [.. features];
    }

    public static double[] Frame(FeatureSpec spec, double[] frame)
    {
        int length = frame.Length;
        if (spec.RemoveMean)
        {
            double mean = frame.Average();
            frame = [.. frame.Select(x => x - mean)];
        }

        var emphasized = new double[length];
        for (int i = 0; i < length; i++)
        {
            double divisor = spec.Flavor == FeatureFlavor.Torchaudio ? length : length - 1;
            double cos = Math.Cos(2 * Math.PI * i / divisor);
            double window = spec.Window switch
            {
                WindowKind.Hamming => 0.54 - (0.46 * cos),
                WindowKind.Hann => 0.5 - (0.5 * cos),
                WindowKind.Povey => Math.Pow(0.5 - (0.5 * cos), 0.85),
                _ => 1,
            };
            emphasized[i] = window * (frame[i] - (spec.Preemphasis * (double)frame[Math.Max(0, i - 1)]));
        }

        bool kaldi = spec.Flavor == FeatureFlavor.Kaldi;
        int fft = spec.FftLength;
        var turns = Enumerable.Range(0, fft).Select(i => Math.SinCos(2 * Math.PI * i / fft)).ToArray();
        var spectrum = new double[(fft / 2) + (kaldi ? 0 : 1)];
        for (int k = 0; k < spectrum.Length; k++)
        {
            double real = 0, imaginary = 0;
            for (int i = 0; i < length; i++)
            {
                var (sin, cos) = turns[k * i % fft];
                real += emphasized[i] * cos;
                imaginary += emphasized[i] * sin;
            }

            double power = (real * real) + (imaginary * imaginary);
            spectrum[k] = spec.UsePower ? power : Math.Sqrt(power);
        }

        double low = ToMel(spec.LowHz), high = ToMel(spec.UpperHz), step = (high - low) / (spec.Bins + 1);
        var features = new double[spec.Bins];
        for (int bin = 0; bin < spec.Bins; bin++)
        {
            double energy = 0;
            double left = low + (bin * step), center = left + step, right = center + step;
            for (int k = 0; k < spectrum.Length; k++)
            {
                double hz = (double)k * spec.SampleRate / fft;
                double weight = kaldi
                    ? Triangle(ToMel(hz), left, center, right)
                    : Triangle(hz, ToHz(left), ToHz(center), ToHz(right));
                energy += weight * spectrum[k];
            }

            features[bin] = !spec.UseLog ? energy : Math.Log(kaldi ? Math.Max(energy, spec.LogFloor) : energy + spec.LogFloor);
        }

        return features;
    }

    public static double[] Dither(FeatureSpec spec, ulong seed, uint epoch, uint row, uint frame)
    {
        var noise = new double[spec.FrameLength];
        uint blocks = (uint)(spec.FrameLength + 3) / 4;
        for (uint block = 0; block < blocks; block++)
        {
            var (r0, r1, r2, r3) = Philox.Block(seed, (frame * blocks) + block, row, epoch, (uint)RandomPurpose.Dither);
            double[] values = [.. Pair(r0, r1), .. Pair(r2, r3)];
            for (int i = 0; i < 4 && (4 * block) + i < noise.Length; i++)
            {
                noise[(4 * block) + i] = spec.Dither * values[i];
            }
        }

        return noise;
    }

    private static double[] Pair(uint a, uint b)
    {
        double radius = Math.Sqrt(-2 * Math.Log(((a >> 8) + 1) / 16777216.0)), angle = 2 * Math.PI * (b >> 8) / 16777216.0;
        return [radius * Math.Cos(angle), radius * Math.Sin(angle)];
    }

    private static double Triangle(double x, double left, double center, double right) =>
        Math.Max(0, Math.Min((x - left) / (center - left), (right - x) / (right - center)));

    private static double ToMel(double hz) => 1127 * Math.Log(1 + (hz / 700));

    private static double ToHz(double mel) => 700 * (Math.Exp(mel / 1127) - 1);

    private static int Fold(int i, int length, bool repeatsEdge)
    {
        while (i < 0 || i >= length)
        {
            i = i < 0 ? (repeatsEdge ? -1 - i : -i) : (repeatsEdge ? (2 * length) - 1 - i : (2 * length) - 2 - i);
        }

        return i;
    }
}
