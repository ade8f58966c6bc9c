using NUnit.Framework;
using Spk.Engine.Audio;
using Spk.Tests.Audio;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class DataCheckTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void All_planted_faults_are_found_at_once()
    {
        Good("good.wav", 3200);
        Good("good2.wav", 6400);
        Good("slow.wav", 8000, rate: 8000);
        Good("short.wav", 100);
        _folder.Text("text.wav", "nothing");
        _folder.Bytes("stereo.wav", WavBytes.Make(1, 16, 2, 16000, WavBytes.Pcm16(new short[6400])));
        _folder.Bytes("nan.wav", WavBytes.Make(3, 32, 1, 16000, WavBytes.Float32([.. new float[3200], float.NaN])));
        _folder.Bytes("cut.wav", WavBytes.Make(1, 16, 1, 16000, WavBytes.Pcm16(new short[3200]), dataSize: 9999));
        _folder.Bytes("none.wav", WavBytes.Make(1, 16, 1, 16000, []));
        string train = _folder.Text(
            "train.csv",
            "path,speaker,duration_s\ngood.wav,a,0.2\ngood2.wav,,0.4\nslow.wav,b,1\nshort.wav,b,\ntext.wav,b,\nstereo.wav,b,\nnan.wav,b,\n"
            + "cut.wav,b,\nnone.wav,b,\nabsent.wav,b,\ngood.wav,b,5\nbroken line\n");
        string eval = _folder.Text("eval.csv", "path,speaker\ngood.wav,a\ngood2.wav,e\n");
        string trials = _folder.Text("trials.txt", "1 good.wav good2.wav\n1 good.wav nobody.wav\n");

        var report = DataCheck.Run(train, new DataCheckOptions { EvaluationManifest = eval, Trials = trials });

        var found = report.Problems.Select(p => (p.Kind, p.Subject)).ToArray();
        Assert.That(found, Is.EquivalentTo(new[]
        {
            (DataProblemKind.MalformedList, train),
            (DataProblemKind.DuplicateId, "good.wav"),
            (DataProblemKind.UnlabelledSpeaker, "good2.wav"),
            (DataProblemKind.WrongSampleRate, "slow.wav"),
            (DataProblemKind.TooShort, "short.wav"),
            (DataProblemKind.Unreadable, "text.wav"),
            (DataProblemKind.SeveralChannels, "stereo.wav"),
            (DataProblemKind.NonFinite, "nan.wav"),
            (DataProblemKind.Truncated, "cut.wav"),
            (DataProblemKind.NoSamples, "none.wav"),
            (DataProblemKind.Missing, "absent.wav"),
            (DataProblemKind.WrongDuration, "good.wav"),
            (DataProblemKind.SpeakerInBothParts, "a"),
            (DataProblemKind.OneSidedTrials, trials),
            (DataProblemKind.TrialOfAbsentUtterance, "nobody.wav"),
        }));
        Assert.That(report.HasErrors);
        Assert.That(report.Problems.Where(p => !p.IsError).Select(p => p.Kind), Is.EquivalentTo(new[] { DataProblemKind.UnlabelledSpeaker, DataProblemKind.WrongDuration }));
        Assert.That(report.Counts.Sum(c => c.Value), Is.EqualTo(report.Problems.Count));
    }

    [Test]
    public void Sound_corpus_gives_a_summary_and_no_problem()
    {
        Good("a/1.wav", 16000);
        Good("a/2.wav", 48000);
        Good("b/1.wav", 32000);

        var seen = new List<DataProgress>();
        var report = DataCheck.Run(_folder.Root, new DataCheckOptions(), new Direct(seen));

        Assert.That(report.Problems, Is.Empty);
        Assert.That(report.HasErrors, Is.False);
        Assert.That(report.Summaries.Single(), Is.EqualTo(new DataSummary(_folder.Root, 2, 3, 3, 6.0 / 3600, 1, 2, 3)));
        Assert.That(seen, Is.EqualTo(new[] { new DataProgress(3, 3) }));
    }

    [Test]
    public void Options_decide_what_counts()
    {
        Good("a/1.wav", 800, rate: 8000);
        string csv = _folder.Text("m.csv", "path\na/1.wav\n");

        Assert.That(Kinds(csv, new DataCheckOptions { SampleRate = 0 }), Is.EqualTo(new[] { DataProblemKind.UnlabelledSpeaker }));
        Assert.That(DataCheck.Run(csv, new DataCheckOptions { SampleRate = 0, RequireSpeakers = true }).HasErrors);
        Assert.That(Kinds(csv, new DataCheckOptions { SampleRate = 8000, MinimumSeconds = 1 }), Does.Contain(DataProblemKind.TooShort));
        Assert.That(Kinds(csv, new DataCheckOptions { SampleRate = 16000 }), Does.Contain(DataProblemKind.WrongSampleRate));
    }

    [Test]
    public void Empty_and_missing_manifests_are_problems_not_exceptions()
    {
        Assert.That(Kinds(_folder.Text("empty.csv", "path,speaker\n"), new()), Is.EqualTo(new[] { DataProblemKind.EmptyManifest }));
        Assert.That(Kinds(_folder.At("no.csv"), new()), Is.EqualTo(new[] { DataProblemKind.Missing }));
        Good("a.wav", 16000);
        Assert.That(
            Kinds(_folder.Text("m.csv", "path,speaker\na.wav,s\n"), new DataCheckOptions { Trials = _folder.At("no.txt") }),
            Is.EqualTo(new[] { DataProblemKind.MalformedList }));
    }

    [Test]
    public void Check_can_be_cancelled()
    {
        Good("a.wav", 16000);
        Assert.Throws<OperationCanceledException>(() => DataCheck.Run(_folder.Root, new(), cancellation: new CancellationToken(canceled: true)));
    }

    private static DataProblemKind[] Kinds(string manifest, DataCheckOptions options) => [.. DataCheck.Run(manifest, options).Problems.Select(p => p.Kind)];

    private void Good(string name, int samples, int rate = 16000)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(_folder.At(name))!);
        WavFile.Write(_folder.At(name), new short[samples], rate);
    }

    private sealed class Direct(List<DataProgress> seen) : IProgress<DataProgress>
    {
        public void Report(DataProgress value)
        {
            lock (seen)
            {
                seen.Add(value);
            }
        }
    }
}
