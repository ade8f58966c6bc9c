using System.Security.Cryptography;
using NUnit.Framework;
using Spk.Engine.Audio;
using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

/// <summary>Synthetic voices whose sessions have channels of their own.</summary>
public class SessionChannelTests
{
    private static readonly SyntheticVoicesSpec Small = new()
    {
        Speakers = 5,
        EvaluationSpeakers = 8,
        UtterancesPerSpeaker = 6,
        SessionsPerSpeaker = 3,
        MinimumSeconds = 0.8f,
        MaximumSeconds = 1f,
        Noises = 1,
        Rooms = 1,
        Seed = 5,
    };

    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void Without_a_strength_nothing_is_new()
    {
        SyntheticVoices.Generate(_folder.At("plain"), Small);
        SyntheticVoices.Generate(_folder.At("zero"), Small with { ChannelStrength = 0 });
        SyntheticVoices.Generate(_folder.At("strong"), Small with { ChannelStrength = 1 });

        // What the lists held before there were channels; the audio of strength 0 is that of the plain corpus.
        string lists = string.Concat(new[] { "train.csv", "eval.csv", "trials.txt" }.Select(f => File.ReadAllText(_folder.At("plain", f))));
        Assert.That(Convert.ToHexStringLower(SHA256.HashData(System.Text.Encoding.UTF8.GetBytes(lists)))[..16], Is.EqualTo("c4f9a093ac5fcf5f"));
        foreach (string file in Directory.GetFiles(_folder.At("plain", "train"), "*.wav", SearchOption.AllDirectories).Select(f => Path.GetRelativePath(_folder.At("plain"), f)))
        {
            byte[] plain = File.ReadAllBytes(_folder.At("plain", file));
            Assert.That(File.ReadAllBytes(_folder.At("zero", file)), Is.EqualTo(plain), file);
            Assert.That(File.ReadAllBytes(_folder.At("strong", file)), Is.Not.EqualTo(plain), file);
        }
    }

    [Test]
    public void Sessions_of_training_speakers_are_unique_and_evaluation_speakers_share_theirs()
    {
        SyntheticVoices.Generate(_folder.Root, Small with { ChannelStrength = 1 });
        var training = Manifest.Load(_folder.At("train.csv")).Utterances;
        Assert.That(training.GroupBy(u => u.Session).Select(s => (s.Select(u => u.Speaker).Distinct().Count(), s.Count())), Is.All.EqualTo((1, 2)));
        Assert.That(training.GroupBy(u => u.Speaker).Select(s => s.Select(u => u.Session).Distinct().Count()), Is.All.EqualTo(3));

        var evaluation = Manifest.Load(_folder.At("eval.csv")).Utterances;
        Assert.That(evaluation.GroupBy(u => u.Session).Select(s => s.Select(u => u.Speaker).Distinct().Count()), Is.All.EqualTo(4));
        Assert.That(evaluation.GroupBy(u => u.Speaker).Select(s => s.Select(u => u.Session).Distinct().Count()), Is.All.EqualTo(3));
        Assert.That(evaluation.Select(u => u.Session).Intersect(training.Select(u => u.Session)), Is.Empty);
        Assert.That(DataCheck.Run(_folder.At("train.csv"), new DataCheckOptions { EvaluationManifest = _folder.At("eval.csv"), Trials = _folder.At("trials.txt"), RequireSpeakers = true }).Problems, Is.Empty);
    }

    [Test]
    public void Trials_set_the_channel_against_the_speaker()
    {
        SyntheticVoices.Generate(_folder.Root, Small with { ChannelStrength = 1 });
        var known = Manifest.Load(_folder.At("eval.csv")).Utterances.ToDictionary(u => u.Id);
        var trials = TrialList.Read(_folder.At("trials.txt"));
        bool SameSession(Trial t) => known[t.Enrolment].Session == known[t.Test].Session;
        Assert.Multiple(() =>
        {
            // Six utterances in three sessions: 15 pairs of which 3 lie within a session.
            Assert.That(trials.Targets, Is.EqualTo(8 * 12));
            Assert.That(trials.Trials, Has.Count.EqualTo(2 * 8 * 12));
            Assert.That(trials.Trials.Where(t => t.IsTarget).Any(SameSession), Is.False);
            Assert.That(trials.Trials.Count(t => !t.IsTarget && SameSession(t)), Is.InRange(8 * 6, 8 * 8));
            Assert.That(trials.Trials.Select(t => known[t.Enrolment].Speaker == known[t.Test].Speaker), Is.EqualTo(trials.Trials.Select(t => t.IsTarget)));
            Assert.That(trials.Trials.Select(t => string.CompareOrdinal(t.Enrolment, t.Test) < 0 ? (t.Enrolment, t.Test) : (t.Test, t.Enrolment)), Is.Unique);
        });
    }

    [Test]
    public void Sessions_differ_in_what_the_mean_over_time_does_not_remove()
    {
        double mild = Ratio(0), strong = Ratio(1);
        Assert.That(strong, Is.GreaterThan(1.6), $"a speaker's sessions are further apart than the utterances of one session; mild: {mild:F2}");
        Assert.That(mild, Is.LessThan(1.2));
    }

    [Test]
    public void Recordings_are_neither_silent_nor_clipped()
    {
        SyntheticVoices.Generate(_folder.Root, Small with { ChannelStrength = 1 });
        using var corpus = Corpus.Load(Manifest.Load(_folder.At("train.csv")));
        for (int i = 0; i < corpus.Count; i++)
        {
            short[] pcm = corpus.Utterance(i).ToArray();
            Assert.That(10 * Math.Log10(pcm.Average(s => (double)s * s)) - 90.3, Is.InRange(-50, -10), $"level of utterance {i} in dB");
            Assert.That(pcm.Count(s => Math.Abs((int)s) >= 32767), Is.Zero);
        }
    }

    [Test]
    public void Values_out_of_range_are_named()
    {
        string Refuses(SyntheticVoicesSpec spec) => Assert.Throws<InvalidOptionException>(() => SyntheticVoices.Generate(_folder.Root, spec))!.Message;
        Assert.That(Refuses(Small with { ChannelStrength = 1.5f }), Does.Contain("channelStrength = 1.5").And.Contain("0 to 1"));
        Assert.That(Refuses(Small with { ChannelStrength = float.NaN }), Does.Contain("channelStrength"));
        Assert.That(Refuses(Small with { ChannelStrength = 0.5f, SessionsPerSpeaker = 1 }), Does.Contain("sessionsPerSpeaker = 1").And.Contain("2 to 6"));
    }

    /// <summary>
    /// Mean distance of a speaker's utterances of different sessions over that of the same session, in the deviation over time of the
    /// logarithmic energy of each band: the features of a recipe without their mean.
    /// </summary>
    private double Ratio(float strength)
    {
        string root = _folder.At($"strength-{strength}");
        SyntheticVoices.Generate(root, Small with { ChannelStrength = strength });
        var utterances = Manifest.Load(Path.Combine(root, "train.csv")).Utterances;
        using var device = new CpuDevice(1);
        double[][] marks = [.. utterances.Select(u => Deviations(device, WavFile.Read(u.Path).Samples))];
        double within = 0, across = 0;
        int pairsWithin = 0, pairsAcross = 0;
        for (int i = 0; i < marks.Length; i++)
        {
            for (int j = 0; j < i; j++)
            {
                if (utterances[i].Speaker != utterances[j].Speaker)
                {
                    continue;
                }

                double distance = Math.Sqrt(marks[i].Zip(marks[j], (a, b) => (a - b) * (a - b)).Sum());
                bool same = utterances[i].Session == utterances[j].Session;
                (within, across) = same ? (within + distance, across) : (within, across + distance);
                (pairsWithin, pairsAcross) = same ? (pairsWithin + 1, pairsAcross) : (pairsWithin, pairsAcross + 1);
            }
        }

        return across / pairsAcross / (within / pairsWithin);
    }

    private static double[] Deviations(Device device, float[] samples)
    {
        device.Workspace.Reset();
        var waves = device.Workspace.Rent(new Shape(1, samples.Length));
        waves.CopyFrom(samples);
        var features = new FeatureExtractor(device, FeatureSpec.TorchaudioMel40).Compute(waves);
        int frames = features.Shape[1], bins = features.Shape[2];
        var values = new float[frames * bins];
        features.CopyTo(values);
        return
        [
            .. Enumerable.Range(0, bins).Select(b =>
            {
                double[] band = [.. Enumerable.Range(0, frames).Select(t => (double)values[(t * bins) + b])];
                double mean = band.Average();
                return Math.Sqrt(band.Average(v => (v - mean) * (v - mean)));
            }),
        ];
    }
}
