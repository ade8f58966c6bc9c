using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Audio;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public sealed class MixNoiseTests(TestDevice on)
{
    private Device _device = null!;

    [SetUp]
    public void SetUp() => _device = on.Open(2);

    [TearDown]
    public void TearDown() => _device.Dispose();

    [TestCase(1, 1)]
    [TestCase(3, 31)]
    [TestCase(2, 33)]
    [TestCase(2, 1024)]
    [TestCase(2, 1039)]
    [TestCase(3, 32000)]
    public void Rows_match_the_level_rule(int rows, int samples)
    {
        var wave = Samples.Normal(1, rows * samples, 0.1f);
        var noise = Samples.Normal(2, rows * samples, 0.03f);
        float[] snr = [.. Enumerable.Range(0, rows).Select(r => (7f * r) - 3f)];
        var x = Samples.Constant(_device, new Shape(rows, samples), wave);
        MixNoise.Apply(x, Samples.Constant(_device, new Shape(rows, samples), noise), snr);

        var want = new double[wave.Length];
        for (int row = 0; row < rows; row++)
        {
            double gain = Math.Pow(10, (Level(wave, row) - Level(noise, row) - snr[row]) / 20);
            for (int i = 0; i < samples; i++)
            {
                want[(row * samples) + i] = wave[(row * samples) + i] + (gain * noise[(row * samples) + i]);
            }
        }

        Close.Assert(Samples.Read(x), want, 1e-6, "mixture");

        double Level(float[] values, int row) => 10 * Math.Log10(values.Skip(row * samples).Take(samples).Average(v => (double)v * v) + 1e-4);
    }

    [Test]
    public void Loud_signals_get_exactly_the_ratio_asked_for()
    {
        const int Length = 32000;
        var wave = Samples.Normal(3, Length, 10f);
        var noise = Samples.Normal(4, Length, 30f);
        var x = Samples.Constant(_device, new Shape(1, Length), wave);
        MixNoise.Apply(x, Samples.Constant(_device, new Shape(1, Length), noise), [12.5f]);

        var mixed = Samples.Read(x);
        double signal = wave.Sum(v => (double)v * v);
        double added = mixed.Zip(wave, (m, w) => ((double)m - w) * ((double)m - w)).Sum();
        Assert.That(10 * Math.Log10(signal / added), Is.EqualTo(12.5).Within(1e-4));
    }

    [Test]
    public void Nan_leaves_a_row_and_silence_is_not_amplified()
    {
        var wave = Samples.Normal(5, 200, 0.1f);
        var x = Samples.Constant(_device, new Shape(2, 100), wave);
        MixNoise.Apply(x, Samples.Constant(_device, new Shape(2, 100), new float[200]), [float.NaN, 0f]);
        Assert.That(Samples.Read(x), Is.EqualTo(wave));
    }

    [Test]
    public void Wrong_arguments_are_refused()
    {
        var x = _device.Workspace.Rent(new Shape(2, 10));
        Assert.That(() => MixNoise.Apply(x, _device.Workspace.Rent(new Shape(2, 9)), [1f, 1f]), Throws.InstanceOf<ShapeException>());
        Assert.That(() => MixNoise.Apply(x, x, [1f]), Throws.InstanceOf<ShapeException>());
        Assert.That(() => MixNoise.Apply(x, x, [1f, float.PositiveInfinity]), Throws.InstanceOf<InvalidOptionException>());
    }
}
