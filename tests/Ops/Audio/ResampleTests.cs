using NUnit.Framework;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Audio;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public sealed class ResampleTests(TestDevice on)
{
    private static readonly (int From, int To)[] Rates =
        [(8000, 16000), (16000, 8000), (44100, 16000), (48000, 16000), (22050, 16000), (16000, 44100), (11025, 16000), (16000, 15999)];

    // Flat to 90 % of the lower Nyquist frequency: every tone there comes out with its amplitude and phase.
    [TestCaseSource(nameof(Rates))]
    public void Tones_in_the_pass_band_are_unchanged((int From, int To) rates)
    {
        foreach (double share in new[] { 0.01, 0.3, 0.7, 0.89 })
        {
            double hz = share * Math.Min(rates.From, rates.To) / 2;
            int margin = Margin(rates.From, rates.To);
            var got = Resample.Run(Tone(hz, rates.From, rates.From / 4), rates.From, rates.To);
            var want = Samples.ToDouble(Tone(hz, rates.To, got.Length));
            Close.Assert(got.AsSpan(margin..^margin), want.AsSpan(margin..^margin), 1e-4, $"{hz} Hz, {rates}");
        }
    }

    [TestCaseSource(nameof(Rates))]
    public void Tones_above_the_lower_nyquist_frequency_are_removed((int From, int To) rates)
    {
        if (rates.To >= rates.From)
        {
            Assert.Pass("Nothing lies above it.");
        }

        foreach (double hz in new[] { rates.To / 2.0, (rates.To / 2.0) + (0.7 * ((rates.From - rates.To) / 2.0)) })
        {
            int margin = Margin(rates.From, rates.To);
            var got = Resample.Run(Tone(hz, rates.From, rates.From / 4), rates.From, rates.To);
            Assert.That(got[margin..^margin].Max(Math.Abs), Is.LessThan(5e-5), $"{hz} Hz, {rates}: wanted 80 dB");
        }
    }

    [TestCaseSource(nameof(Rates))]
    public void A_constant_stays((int From, int To) rates)
    {
        var ones = new float[rates.From / 4];
        Array.Fill(ones, 0.25f);
        int margin = Margin(rates.From, rates.To);
        Assert.That(Resample.Run(ones, rates.From, rates.To)[margin..^margin], Is.All.EqualTo(0.25f).Within(1e-6f));
    }

    [TestCase(0, 44100, 16000, 0)]
    [TestCase(1, 44100, 16000, 1)]
    [TestCase(441, 44100, 16000, 160)]
    [TestCase(442, 44100, 16000, 161)]
    [TestCase(7, 8000, 16000, 14)]
    public void Length_is_rounded_up(int samples, int from, int to, int want)
    {
        Assert.That(Resample.OutputLength(samples, from, to), Is.EqualTo(want));
        Assert.That(Resample.Run(new float[samples], from, to), Has.Length.EqualTo(want));
    }

    [Test]
    public void Batches_equal_single_runs_for_any_number_of_threads()
    {
        on.OneOrderIsEnough();
        var wave = Samples.Normal(1, 3 * 30000, 0.1f);
        using var one = on.Open(1);
        using var three = on.Open(3);
        foreach (var device in new[] { one, three })
        {
            var y = Resample.Forward(device, Samples.Constant(device, new Shape(3, 30000), wave), 22050, 16000);
            var got = Samples.Read(y);
            for (int row = 0; row < 3; row++)
            {
                // The CPU gives the same bits; a GPU adds the taps in another order.
                var want = Resample.Run(wave.AsSpan(row * 30000, 30000), 22050, 16000);
                Assert.That(got[(row * y.Shape[1])..((row + 1) * y.Shape[1])], Is.EqualTo(want).Within(on.IsCuda ? 0.1f * (float)Tolerance.Reduction(192) : 0f));
            }
        }
    }

    [Test]
    public void Equal_rates_change_nothing()
    {
        var wave = Samples.Normal(2, 100);
        Assert.That(Resample.Run(wave, 16000, 16000), Is.EqualTo(wave));
    }

    [TestCase(0, 16000)]
    [TestCase(16000, -1)]
    [TestCase(999, 999)]
    public void Impossible_rates_are_refused(int from, int to) =>
        Assert.That(() => Resample.Run(new float[10], from, to), Throws.InstanceOf<InvalidOptionException>());

    // Outputs that see the silence before or after the waveform.
    private static int Margin(int from, int to) => (int)Math.Ceiling(70.0 * Math.Max(1, (double)to / from)) + 2;

    private static float[] Tone(double hz, int rate, int samples) =>
        [.. Enumerable.Range(0, samples).Select(t => (float)(0.5 * Math.Sin(2 * Math.PI * hz * t / rate)))];
}
