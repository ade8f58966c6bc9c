using NUnit.Framework;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Audio;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Audio;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public sealed class CropGatherTests(TestDevice on)
{
    private Device _device = null!;

    [SetUp]
    public void SetUp() => _device = on.Open(2);

    [TearDown]
    public void TearDown() => _device.Dispose();

    [TestCase(1, 0, 1)]
    [TestCase(100, 0, 31)]
    [TestCase(100, 68, 32)]
    [TestCase(100, 67, 33)]
    [TestCase(100, 99, 1)]
    [TestCase(100, 40, 300)]
    [TestCase(7, 3, 64)]
    [TestCase(1, 0, 65)]
    public void Samples_are_copied_and_short_utterances_are_repeated(int length, int start, int samples)
    {
        var pcm = Pcm(length, seed: 1);
        var got = CropGather.Forward(_device, new MemorySource([5], pcm), [new CropRequest(1, start, 0.5f)], samples);
        var want = Enumerable.Range(0, samples).Select(i => 0.5f * pcm[(start + i) % length] / 32768f).ToArray();
        Assert.That(got.Shape, Is.EqualTo(new Shape(1, samples)));
        Assert.That(Samples.Read(got), Is.EqualTo(want));
    }

    [Test]
    public void Full_scale_maps_to_plus_minus_one()
    {
        var got = CropGather.Forward(_device, new MemorySource([short.MinValue, short.MaxValue, 0]), [new CropRequest(0, 0)], 3);
        Assert.That(Samples.Read(got), Is.EqualTo(new[] { -1f, 32767f / 32768f, 0f }));
    }

    // A tone read at another speed is the same tone at another frequency, between the ends of the recording.
    [TestCase(0.9f, 440)]
    [TestCase(1.1f, 440)]
    [TestCase(1.1f, 5000)]
    [TestCase(0.5f, 3000)]
    [TestCase(2.0f, 1500)]
    [TestCase(0.25f, 100)]
    [TestCase(4.0f, 700)]
    public void Speed_shifts_a_tone(float speed, double hz)
    {
        const int Outputs = 2000;
        int length = (int)(Outputs * speed) + 4000;
        var pcm = Tone(hz, length);
        var got = Samples.Read(CropGather.Forward(_device, new MemorySource(pcm), [new CropRequest(0, 1000, 1f, speed)], Outputs));
        var want = Enumerable.Range(0, Outputs)
            .Select(i => 0.5 * Math.Sin(2 * Math.PI * hz * (1000 + (i * (double)speed)) / 16000)).ToArray();
        Close.Assert(got, want, 5e-4, $"{hz} Hz at speed {speed}");
    }

    [TestCase(2.0f, 6000)]
    [TestCase(1.25f, 7000)]
    public void What_would_alias_at_higher_speed_is_removed(float speed, double hz)
    {
        var got = Samples.Read(CropGather.Forward(_device, new MemorySource(Tone(hz, 9000)), [new CropRequest(0, 1000, 1f, speed)], 2000));
        Assert.That(got.Max(Math.Abs), Is.LessThan(0.5 * 1e-3));
    }

    [Test]
    public void Speed_and_repetition_go_together()
    {
        // 80 Hz has a period of 200 samples, so that the repeated utterance is one endless tone.
        var got = Samples.Read(CropGather.Forward(_device, new MemorySource(Tone(80, 400)), [new CropRequest(0, 100, 1f, 1.1f)], 3000));
        var want = Enumerable.Range(0, 3000)
            .Select(i => 0.5 * Math.Sin(2 * Math.PI * 80 * (100 + (i * (double)1.1f)) / 16000)).ToArray();
        Close.Assert(got, want, 5e-4, "tiled tone");
    }

    [Test]
    public void Rows_are_independent_of_threads()
    {
        var source = new MemorySource([.. Enumerable.Range(0, 9).Select(i => Pcm(500 + (97 * i), i))]);
        CropRequest[] crops = [.. Enumerable.Range(0, 40).Select(i => new CropRequest(i % 9, i * 7, 1f + (0.01f * i), 0.8f + (0.02f * i)))];
        using var one = on.Open(1);
        using var three = on.Open(3);
        Assert.That(Samples.Read(CropGather.Forward(three, source, crops, 333)), Is.EqualTo(Samples.Read(CropGather.Forward(one, source, crops, 333))));
    }

    [Test]
    public void Bad_requests_are_refused_by_name()
    {
        var source = new MemorySource(Pcm(10, 1), []);
        void Refuse<T>(CropRequest crop, string part) where T : SpkException =>
            Assert.That(() => CropGather.Forward(_device, source, [crop], 5), Throws.InstanceOf<T>().With.Message.Contains(part));

        Refuse<InvalidOptionException>(new CropRequest(2, 0), "utterance 2 of 2");
        Refuse<InvalidOptionException>(new CropRequest(-1, 0), "utterance -1");
        Refuse<InvalidOptionException>(new CropRequest(0, 10), "sample 10 of 10");
        Refuse<InvalidOptionException>(new CropRequest(0, -1), "sample -1");
        Refuse<InvalidOptionException>(new CropRequest(0, 0, float.NaN), "gain");
        Refuse<InvalidOptionException>(new CropRequest(0, 0, 1f, 0.1f), "speed");
        Refuse<InvalidOptionException>(new CropRequest(0, 0, 1f, float.NaN), "speed");
        Refuse<DataFormatException>(new CropRequest(1, 0), "empty");
    }

    [Test]
    public void An_empty_batch_is_allowed() =>
        Assert.That(CropGather.Forward(_device, new MemorySource(Pcm(10, 1)), [], 5).Shape, Is.EqualTo(new Shape(0, 5)));

    private static short[] Tone(double hz, int length) =>
        [.. Enumerable.Range(0, length).Select(t => (short)Math.Round(16384 * Math.Sin(2 * Math.PI * hz * t / 16000)))];

    private static short[] Pcm(int length, int seed) => [.. Samples.Normal(seed, length, 5000f).Select(x => (short)Math.Clamp(x, -32768, 32767))];
}
