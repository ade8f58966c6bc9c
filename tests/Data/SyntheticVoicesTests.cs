using NUnit.Framework;
using Spk.Engine.Audio;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class SyntheticVoicesTests
{
    private static readonly SyntheticVoicesSpec Small = new()
    {
        Speakers = 4,
        EvaluationSpeakers = 3,
        UtterancesPerSpeaker = 3,
        SessionsPerSpeaker = 2,
        MinimumSeconds = 0.5f,
        MaximumSeconds = 0.8f,
        Noises = 5,
        Rooms = 2,
        Seed = 11,
    };

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void Corpus_passes_its_own_check_and_has_the_layout_of_a_recorded_one()
    {
        SyntheticVoices.Generate(_folder.Root, Small);

        var report = DataCheck.Run(
            _folder.At("train.csv"), new DataCheckOptions { EvaluationManifest = _folder.At("eval.csv"), Trials = _folder.At("trials.txt"), RequireSpeakers = true });
        Assert.That(report.Problems, Is.Empty);
        Assert.That(report.Summaries.Select(s => (s.Speakers, s.Utterances)), Is.EqualTo(new[] { (4, 12), (3, 9) }));
        Assert.That(report.Summaries[0].ShortestSeconds, Is.GreaterThanOrEqualTo(0.5));
        Assert.That(report.Summaries[0].LongestSeconds, Is.LessThanOrEqualTo(0.8));
        Assert.That(Manifest.Load(_folder.At("train.csv")).Utterances[1], Is.EqualTo(
            new Utterance("train/sv0001/s02-u002.wav", _folder.At("train", "sv0001", "s02-u002.wav"), "sv0001", "s02",
                Manifest.Load(_folder.At("train.csv")).Utterances[1].DurationSeconds)));
        Assert.That(TrialList.Read(_folder.At("trials.txt")).Targets, Is.EqualTo(3 * 3));
        Assert.That(Directory.GetFiles(_folder.At("noise")), Has.Length.EqualTo(5));
        foreach (string rir in Directory.GetFiles(_folder.At("rir")))
        {
            float[] response = WavFile.Read(rir).Samples;
            Assert.That(response[0], Is.EqualTo(response.Max(MathF.Abs)), "the direct sound is sample 0");
        }
    }

    [Test]
    public void Same_seed_gives_the_same_bytes_and_another_seed_others()
    {
        SyntheticVoices.Generate(_folder.At("a"), Small);
        SyntheticVoices.Generate(_folder.At("b"), Small);
        SyntheticVoices.Generate(_folder.At("c"), Small with { Seed = 12 });

        string[] files = [.. Directory.GetFiles(_folder.At("a"), "*", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(_folder.At("a"), f))];
        Assert.That(files, Has.Length.EqualTo(3 + 21 + 5 + 2));
        foreach (string file in files)
        {
            Assert.That(File.ReadAllBytes(_folder.At("b", file)), Is.EqualTo(File.ReadAllBytes(_folder.At("a", file))), file);
            if (file.EndsWith(".wav", StringComparison.Ordinal))
            {
                Assert.That(File.ReadAllBytes(_folder.At("c", file)), Is.Not.EqualTo(File.ReadAllBytes(_folder.At("a", file))), file);
            }
        }
    }

    [Test]
    public void Utterances_are_neither_silent_nor_clipped()
    {
        SyntheticVoices.Generate(_folder.Root, Small);
        using var corpus = Corpus.Load(Manifest.Load(_folder.At("train.csv")));
        for (int i = 0; i < corpus.Count; i++)
        {
            double rms = Math.Sqrt(corpus.Utterance(i).ToArray().Average(s => (double)s * s)) / 32768;
            Assert.That(20 * Math.Log10(rms), Is.InRange(-36, -14), $"level of utterance {i} in dB");
            Assert.That(corpus.Utterance(i).ToArray().Count(s => Math.Abs((int)s) >= 32767), Is.LessThan(5));
        }
    }

    [TestCase(8000)]
    [TestCase(44100)]
    public void Other_sample_rates_work(int rate)
    {
        SyntheticVoices.Generate(_folder.Root, Small with { SampleRate = rate });
        Assert.That(DataCheck.Run(_folder.At("train.csv"), new DataCheckOptions { SampleRate = rate }).Problems, Is.Empty);
    }

    [Test]
    public void Values_out_of_range_are_named()
    {
        string Refuses(SyntheticVoicesSpec spec) => Assert.Throws<InvalidOptionException>(() => SyntheticVoices.Generate(_folder.Root, spec))!.Message;
        Assert.That(Refuses(Small with { Speakers = 1 }), Does.Contain("speakers = 1").And.Contain("2 to 100000"));
        Assert.That(Refuses(Small with { SessionsPerSpeaker = 4 }), Does.Contain("sessionsPerSpeaker = 4").And.Contain("1 to 3"));
        Assert.That(Refuses(Small with { MaximumSeconds = 0.4f }), Does.Contain("maximumSeconds = 0.4"));
        Assert.That(Refuses(Small with { MinimumSeconds = float.NaN }), Does.Contain("minimumSeconds"));
        Assert.That(Refuses(Small with { SampleRate = 100 }), Does.Contain("sampleRate = 100"));
    }

    [Test]
    public void Unwritable_folder_is_one_sentence()
    {
        string file = _folder.Text("file", "");
        Assert.That(Assert.Catch<SpkException>(() => SyntheticVoices.Generate(file, Small))!.Message, Does.Contain(file));
    }

    [Test]
    public void Work_can_be_cancelled() =>
        Assert.Throws<OperationCanceledException>(() => SyntheticVoices.Generate(_folder.Root, Small, cancellation: new CancellationToken(canceled: true)));
}
