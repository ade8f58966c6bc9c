using NUnit.Framework;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class AugmenterTests
{
    private const int Length = 400;
    private TemporaryFolder _folder = null!;
    private CpuDevice _device = null!;
    private Corpus _voices = null!;

    [SetUp]
    public void MakeFolder()
    {
        _folder = new TemporaryFolder();
        _device = new CpuDevice(2);
        _voices = VoicesCorpus.Random([2000, 3000]);
    }

    [TearDown]
    public void DeleteFolder()
    {
        _voices.Dispose();
        _device.Dispose();
        _folder.Dispose();
    }

    [Test]
    public void Each_change_happens_with_its_own_probability_and_range()
    {
        WriteNoise("noise/a.wav", "noise/sub/b.wav", "noise/speech/c.wav", "noise/speech/d.wav", "noise/music/e.wav");
        WriteRooms(3);
        using var augmenter = Make(new AugmentationSpec
        {
            ReverbProbability = 0.3f,
            NoiseProbability = 0.6f,
            Noise = "noise",
            Rir = "rir",
            GainMinimumDb = -6,
            GainMaximumDb = 6,
            Speeds = [0.9f, 1.1f],
        });

        var draws = Enumerable.Range(0, 6000).Select(i => augmenter.Draw(i / 1000, i % 1000)).ToArray();

        Assert.That(draws.Count(d => d.Room >= 0) / 6000.0, Is.EqualTo(0.3).Within(0.03));
        Assert.That(draws.Count(d => !float.IsNaN(d.SnrDb)) / 6000.0, Is.EqualTo(0.6).Within(0.03));
        Assert.That(draws.Count(d => d.Room >= 0 && !float.IsNaN(d.SnrDb)) / 6000.0, Is.EqualTo(0.18).Within(0.03), "independently");
        Assert.That(draws.Where(d => d.Room >= 0).CountBy(d => d.Room).Select(c => c.Value), Has.All.InRange(500, 700).And.Exactly(3).Items);
        Assert.That(draws.Select(d => d.Gain), Has.All.InRange(0.5f, 2f));
        Assert.That(draws.Count(d => d.Speed == 0.9f), Is.InRange(2800, 3200));

        // Order of the files: a, music/e, speech/c, speech/d, sub/b. Category first, then file.
        (int[] Files, float Low, float High)[] categories = [([0, 4], 0, 15), ([1], 5, 15), ([2, 3], 13, 20)];
        foreach (var (files, low, high) in categories)
        {
            var mine = draws.Where(d => !float.IsNaN(d.SnrDb) && files.Contains(d.Noise)).ToArray();
            Assert.That(mine, Has.Length.InRange(1080, 1320));
            Assert.That(mine.Select(d => d.SnrDb), Has.All.InRange(low, high));
            Assert.That(mine.Average(d => d.SnrDb), Is.EqualTo((low + high) / 2).Within(0.5));
        }

        Assert.That(draws.Where(d => d.Noise == 0).Select(d => d.NoiseStart).Distinct().Count(), Is.GreaterThan(100), "random start");
        Assert.That(draws.Select(d => d.NoiseStart), Has.All.InRange(0, 1000 - Length));
    }

    [Test]
    public void Reverberation_comes_before_noise_and_untouched_rows_stay()
    {
        WriteNoise("noise/a.wav");
        WriteRooms(1);
        using var augmenter = Make(new AugmentationSpec { ReverbProbability = 0.5f, NoiseProbability = 0.5f, Noise = "noise", Rir = "rir" });
        int[] items = [.. Enumerable.Range(0, 64)];
        float[] clean = Samples.Normal(3, 64 * Length, 0.1f);
        var waves = Samples.Constant(_device, new Shape(64, Length), clean);
        augmenter.Apply(waves, epoch: 2, items);

        float[] got = Samples.Read(waves);
        short[] noisePcm = WavFile.ReadInt16(_folder.At("noise", "a.wav"), ChannelPolicy.RequireMono, out _);
        float[] room = WavFile.Read(_folder.At("rir", "0.wav")).Samples;
        for (int row = 0; row < 64; row++)
        {
            var draw = augmenter.Draw(2, row);
            var want = Samples.ToDouble(clean.AsSpan(row * Length, Length));
            if (draw.Room >= 0)
            {
                want = Convolve(want, room);
            }

            if (!float.IsNaN(draw.SnrDb))
            {
                var noise = Enumerable.Range(0, Length).Select(i => noisePcm[draw.NoiseStart + i] / 32768.0).ToArray();
                double gain = Math.Pow(10, (Level(want) - Level(noise) - draw.SnrDb) / 20);
                want = [.. want.Zip(noise, (x, n) => x + (gain * n))];
            }

            Close.Assert(got.AsSpan(row * Length, Length), want, 2e-6, $"row {row}: {draw}");
        }
    }

    [Test]
    public void Synthetic_material_stands_in_for_missing_folders()
    {
        using var augmenter = Make(new AugmentationSpec { ReverbProbability = 1, NoiseProbability = 1 });

        Assert.That(augmenter.NoiseCount, Is.EqualTo(24));
        Assert.That(augmenter.RoomCount, Is.EqualTo(32));
        float[] clean = Samples.Normal(3, 8 * Length, 0.1f);
        var waves = Samples.Constant(_device, new Shape(8, Length), clean);
        augmenter.Apply(waves, 0, [0, 1, 2, 3, 4, 5, 6, 7]);
        float[] got = Samples.Read(waves);
        Assert.That(got, Has.All.Matches<float>(float.IsFinite));
        for (int row = 0; row < 8; row++)
        {
            Assert.That(got.AsSpan(row * Length, Length).SequenceEqual(clean.AsSpan(row * Length, Length)), Is.False);
        }
    }

    [Test]
    public void Nothing_is_drawn_where_nothing_is_asked_for()
    {
        using var augmenter = Make(new AugmentationSpec());
        Assert.That(augmenter.Spec.IsIdentity);
        Assert.That(augmenter.Cut(0, 5), Is.EqualTo((1f, 1f)));
        float[] clean = Samples.Normal(3, Length);
        var waves = Samples.Constant(_device, new Shape(1, Length), clean);
        augmenter.Apply(waves, 0, [5]);
        Assert.That(Samples.Read(waves), Is.EqualTo(clean));
    }

    [Test]
    public void Noise_may_come_from_a_pack()
    {
        WriteNoise("noise/speech/c.wav", "noise/a.wav");
        CorpusPack.Write(_folder.At("noise.pack"), Manifest.Load(_folder.At("noise")));
        using var folder = Make(new AugmentationSpec { NoiseProbability = 1, Noise = "noise" });
        using var pack = Make(new AugmentationSpec { NoiseProbability = 1, Noise = "noise.pack" });
        Assert.That(Enumerable.Range(0, 50).Select(i => pack.Draw(0, i)), Is.EqualTo(Enumerable.Range(0, 50).Select(i => folder.Draw(0, i))));
    }

    [Test]
    public void Bad_fields_and_folders_are_named()
    {
        string Refuses(AugmentationSpec spec) => Assert.Catch<SpkException>(() => Make(spec).Dispose())!.Message;

        Assert.That(Refuses(new() { ReverbProbability = 1.5f }), Does.Contain("data.augmentation.reverbProbability = 1.5").And.Contain("0 to 1"));
        Assert.That(Refuses(new() { NoiseProbability = float.NaN }), Does.Contain("data.augmentation.noiseProbability"));
        Assert.That(Refuses(new() { SnrMinimumDb = 20 }), Does.Contain("snrMinimumDb = 20").And.Contain("snrMaximumDb = 15"));
        Assert.That(Refuses(new() { MusicSnrMaximumDb = 99 }), Does.Contain("musicSnrMaximumDb = 99"));
        Assert.That(Refuses(new() { GainMinimumDb = -90 }), Does.Contain("gainMinimumDb = -90"));
        Assert.That(Refuses(new() { Speeds = [1, 3] }), Does.Contain("speeds = 3").And.Contain("0.5 to 2"));
        Assert.That(Refuses(new() { NoiseProbability = 1, Noise = "nowhere" }), Does.Contain("data.augmentation.noise").And.Contain("nowhere"));
        Assert.That(Refuses(new() { ReverbProbability = 1, Rir = "nowhere" }), Does.Contain("data.augmentation.rir"));
        Directory.CreateDirectory(_folder.At("rir"));
        WavFile.Write(_folder.At("rir", "0.wav"), [1f, 0.5f], 8000);
        Assert.That(Refuses(new() { ReverbProbability = 1, Rir = "rir" }), Does.Contain("8000 Hz"));
        using var augmenter = Make(new AugmentationSpec());
        Assert.Throws<ShapeException>(() => augmenter.Apply(Samples.Constant(_device, new Shape(1, 3), [1, 2, 3]), 0, [0]));
    }

    private static double Level(double[] wave) => 10 * Math.Log10(wave.Average(x => x * x) + 1e-4);

    private static double[] Convolve(double[] wave, float[] room)
    {
        double norm = Math.Sqrt(room.Sum(h => (double)h * h));
        var y = new double[wave.Length];
        for (int i = 0; i < y.Length; i++)
        {
            for (int k = 0; k < room.Length && k <= i; k++)
            {
                y[i] += wave[i - k] * room[k] / norm;
            }
        }

        return y;
    }

    private Augmenter Make(AugmentationSpec spec) => new(_device, spec, _voices, Length, seed: 4, root: _folder.Root);

    private void WriteNoise(params string[] names)
    {
        for (int i = 0; i < names.Length; i++)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(_folder.At(names[i]))!);
            WavFile.Write(_folder.At(names[i]), VoicesCorpus.Pcm(40 + i, 1000), 16000);
        }
    }

    private void WriteRooms(int count)
    {
        Directory.CreateDirectory(_folder.At("rir"));
        for (int i = 0; i < count; i++)
        {
            WavFile.Write(_folder.At("rir", $"{i}.wav"), VoicesCorpus.Pcm(60 + i, 50 + i), 16000);
        }
    }
}
