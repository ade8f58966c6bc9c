using NUnit.Framework;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Audio;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public sealed class ConvolveRirTests(TestDevice on)
{
    private Device _device = null!;

    [SetUp]
    public void SetUp() => _device = on.Open(2);

    [TearDown]
    public void TearDown() => _device.Dispose();

    // Around the smallest transform, a power of two filled to the last sample, a response longer than the waveform.
    [TestCase(1, 1)]
    [TestCase(1, 5)]
    [TestCase(31, 2)]
    [TestCase(33, 32)]
    [TestCase(500, 525)]
    [TestCase(700, 325)]
    [TestCase(1000, 999)]
    [TestCase(1000, 3000)]
    [TestCase(2100, 77)]
    public void Rows_match_the_direct_convolution(int samples, int length)
    {
        var responses = new[] { Samples.Normal(1, length), Samples.Normal(2, Math.Max(1, length / 3), 0.01f) };
        var wave = Samples.Normal(3, 3 * samples, 0.1f);
        var x = Samples.Constant(_device, new Shape(3, samples), wave);
        ConvolveRir.Apply(x, new RirBank(_device, responses, samples), [1, -1, 0]);

        double[] want =
        [
            .. Direct(wave.AsSpan(0, samples), responses[1]),
            .. Samples.ToDouble(wave.AsSpan(samples, samples)),
            .. Direct(wave.AsSpan(2 * samples, samples), responses[0]),
        ];
        Close.Assert(Samples.Read(x), want, 2e-6, "reverberated");
        Assert.That(Samples.Read(x)[samples..(2 * samples)], Is.EqualTo(wave[samples..(2 * samples)]));
    }

    [Test]
    public void A_unit_impulse_changes_nothing_and_a_late_one_delays()
    {
        var late = new float[8000];
        late[5000] = -4f;
        var wave = Samples.Normal(4, 2 * 16000, 0.1f);
        var x = Samples.Constant(_device, new Shape(2, 16000), wave);
        ConvolveRir.Apply(x, new RirBank(_device, [[2f], late], 16000), [0, 1]);

        var want = new double[2 * 16000];
        for (int i = 0; i < 16000; i++)
        {
            want[i] = wave[i];
            want[16000 + i] = i < 5000 ? 0 : -wave[16000 + i - 5000];
        }

        Close.Assert(Samples.Read(x), want, 1e-6, "impulses");
    }

    [Test]
    public void Results_do_not_depend_on_threads()
    {
        var wave = Samples.Normal(5, 7 * 4000, 0.1f);
        int[] response = [0, 1, -1, 1, 0, 0, 1];
        float[] Run(int threads)
        {
            using var device = on.Open(threads);
            var x = Samples.Constant(device, new Shape(7, 4000), wave);
            ConvolveRir.Apply(x, new RirBank(device, [Samples.Normal(6, 900), Samples.Normal(7, 3000)], 4000), response);
            return Samples.Read(x);
        }

        Assert.That(Run(3), Is.EqualTo(Run(1)));
    }

    [Test]
    public void A_warm_augmentation_allocates_nothing()
    {
        on.OneOrderIsEnough();
        using var device = on.Open(1);
        var source = new MemorySource(new short[9000], new short[500]);
        var bank = new RirBank(device, [Samples.Normal(8, 50)], 200);
        CropRequest[] crops = [new(0, 5), new(1, 5, 0.5f, 1.1f)];
        int[] rooms = [0, -1];
        float[] ratios = [3f, float.NaN];
        void Step()
        {
            device.Workspace.Reset();
            var waves = CropGather.Forward(device, source, crops, 200);
            ConvolveRir.Apply(waves, bank, rooms);
            MixNoise.Apply(waves, CropGather.Forward(device, source, crops, 200), ratios);
            Resample.Forward(device, waves, 16000, 8000);
        }

        Allocations.AssertNone(Step);
    }

    [Test]
    public void Bad_responses_and_shapes_are_refused()
    {
        Assert.That(() => new RirBank(_device, [[0f, 0f]], 10), Throws.InstanceOf<DataFormatException>());
        Assert.That(() => new RirBank(_device, [[]], 10), Throws.InstanceOf<DataFormatException>());
        Assert.That(() => new RirBank(_device, [[1f, float.NaN]], 10), Throws.InstanceOf<NonFiniteException>());
        var bank = new RirBank(_device, [[1f]], 10);
        Assert.That(() => ConvolveRir.Apply(_device.Workspace.Rent(new Shape(1, 11)), bank, [0]), Throws.InstanceOf<ShapeException>());
        Assert.That(() => ConvolveRir.Apply(_device.Workspace.Rent(new Shape(1, 10)), bank, [0, 0]), Throws.InstanceOf<ShapeException>());
        Assert.That(() => ConvolveRir.Apply(_device.Workspace.Rent(new Shape(1, 10)), bank, [1]), Throws.InstanceOf<ShapeException>());
        Assert.That(() => ConvolveRir.Apply(_device.Workspace.Rent(new Shape(1, 10)), bank, [-2]), Throws.InstanceOf<ShapeException>());
    }

    private static double[] Direct(ReadOnlySpan<float> x, float[] h)
    {
        double scale = 1 / Math.Sqrt(h.Sum(v => (double)v * v));
        var y = new double[x.Length];
        for (int n = 0; n < y.Length; n++)
        {
            for (int k = 0; k <= Math.Min(n, h.Length - 1); k++)
            {
                y[n] += x[n - k] * h[k] * scale;
            }
        }

        return y;
    }
}
