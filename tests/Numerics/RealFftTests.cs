using NUnit.Framework;
using Spk.Engine.Numerics;
using Spk.Tests.Support;

namespace Spk.Tests.Numerics;

public sealed unsafe class RealFftTests
{
    private static readonly int[] Lengths = [32, 64, 128, 256, 512, 1024, 2048, 4096];

    [Test]
    public void Forward_matches_the_direct_sum([ValueSource(nameof(Lengths))] int length, [Values(8, 16)] int lanes)
    {
        var signal = Samples.Normal(1, length);
        var fft = new RealFft(length, lanes);

        var spectrum = Forward(fft, signal, length);

        var want = Direct(signal, length);
        double limit = Tolerance.Reduction(length) * want.Max(Math.Abs);
        Close.Assert(spectrum, want, limit, $"spectrum of {length}");
    }

    [Test]
    public void Inverse_undoes_forward(
        [Values(32, 64, 128, 256, 512, 1024, 2048, 4096, 16384, 32768, 65536, 131072)] int length, [Values(8, 16)] int lanes)
    {
        var signal = Samples.Normal(2, length);
        var fft = new RealFft(length, lanes);
        var parts = Lanes.Table((int)(fft.SpectrumBytes / sizeof(float)));
        var scratch = Lanes.Table((int)(fft.ScratchBytes / sizeof(float)));
        var back = new float[length];
        fixed (float* x = signal, y = back)
        {
            fft.Forward(x, length, Lanes.Pointer(parts), Lanes.Pointer(scratch));
            fft.Inverse(Lanes.Pointer(parts), y, length, Lanes.Pointer(scratch));
        }

        Close.Assert(back, signal, Tolerance.Reduction(1) * Math.Log2(length) * 5, $"inverse of {length}");
    }

    [TestCase(512, 0)]
    [TestCase(512, 1)]
    [TestCase(512, 31)]
    [TestCase(512, 33)]
    [TestCase(512, 400)]
    [TestCase(64, 63)]
    public void Missing_samples_count_as_zeros(int length, int count)
    {
        var signal = Samples.Normal(3, length);
        var fft = new RealFft(length);

        var spectrum = Forward(fft, signal, count);

        var want = Direct(signal[..count], length);
        Close.Assert(spectrum, want, Tolerance.Reduction(length) * Math.Max(1, want.Max(Math.Abs)), $"{count} of {length}");
    }

    [TestCase(65536, 12345)]
    [TestCase(32768, 1)]
    public void A_pure_tone_is_one_line(int length, int bin)
    {
        var signal = new float[length];
        for (int t = 0; t < length; t++)
        {
            signal[t] = (float)Math.Cos(2 * Math.PI * ((long)bin * t % length) / length);
        }

        var want = new double[length + 2];
        want[bin] = length / 2.0;
        Close.Assert(Forward(new RealFft(length), signal, length), want, 1e-6 * length, "line");
    }

    [TestCase(31)]
    [TestCase(48)]
    [TestCase(0)]
    public void Other_lengths_are_refused(int length) =>
        Assert.That(() => new RealFft(length), Throws.InstanceOf<ArgumentOutOfRangeException>());

    // Real parts of all bins, then imaginary parts.
    private static float[] Forward(RealFft fft, float[] signal, int count)
    {
        var parts = Lanes.Table((int)(fft.SpectrumBytes / sizeof(float)));
        var scratch = Lanes.Table((int)(fft.ScratchBytes / sizeof(float)));
        scratch.AsSpan().Fill(float.NaN);
        fixed (float* x = signal)
        {
            fft.Forward(x, count, Lanes.Pointer(parts), Lanes.Pointer(scratch));
        }

        return [.. parts.AsSpan(0, fft.Bins), .. parts.AsSpan(fft.PartStride, fft.Bins)];
    }

    private static double[] Direct(float[] signal, int length)
    {
        int bins = (length / 2) + 1;
        var spectrum = new double[2 * bins];
        for (int k = 0; k < bins; k++)
        {
            for (int t = 0; t < signal.Length; t++)
            {
                var (sin, cos) = Math.SinCos(-2 * Math.PI * ((long)k * t % length) / length);
                spectrum[k] += signal[t] * cos;
                spectrum[bins + k] += signal[t] * sin;
            }
        }

        return spectrum;
    }
}
