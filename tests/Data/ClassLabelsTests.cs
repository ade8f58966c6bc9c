using NUnit.Framework;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class ClassLabelsTests
{
    private static readonly int[] Lengths = [400, 900, 250, 1000, 1200, 333, 640, 800];
    private static readonly int[] Everybody = [0, 1, 2, 3, 4, 5, 6, 7];

    private TemporaryFolder _folder = null!;
    private Corpus _corpus = null!;

    [SetUp]
    public void MakeCorpus() => (_folder, _corpus) = (new TemporaryFolder(), VoicesCorpus.Random(Lengths));

    [TearDown]
    public void Delete()
    {
        _corpus.Dispose();
        _folder.Dispose();
    }

    [Test]
    public void Clusters_become_classes_from_0_in_their_order()
    {
        var labels = Make("id,cluster\nu0.wav,7\nu1.wav,7\nu2.wav,-1\nu3.wav,3\nu4.wav,3\nu5.wav,7\nu6.wav,3\nu7.wav,-1\n");
        Assert.That(labels.Count, Is.EqualTo(3));
        Assert.That(labels.All.ToArray(), Is.EqualTo(new[] { 2, 2, 0, 1, 1, 2, 1, 0 }));
        Assert.That(labels.Warning, Is.Null);
    }

    [Test]
    public void Small_clusters_and_far_rows_are_left_out_and_counted()
    {
        const string file = "id,cluster,similarity\nu0.wav,0,0.9\nu1.wav,0,0.1\nu2.wav,0,0.5\nu3.wav,0,0.4\nu4.wav,1,0.2\nu5.wav,1,0.3\nu6.wav,2,1\n";
        var labels = Make(file, new LabelSpec { SmallestCluster = 2, NearestShare = 0.5f });
        Assert.That(labels.All.ToArray(), Is.EqualTo(new[] { 0, -1, 0, -1, -1, 1, -1, -1 }));
        Assert.That(labels.Warning, Does.StartWith("5 of 8 utterances are left out: 1 without a label, 1 in clusters").And.Contain("3 by data.labels.nearestShare"));
    }

    [Test]
    public void Only_members_count()
    {
        var labels = Make("id,cluster\nu0.wav,0\nu1.wav,1\nu2.wav,2\n", members: [0, 2]);
        Assert.That(labels.Count, Is.EqualTo(2));
        Assert.That(labels.All.ToArray(), Is.EqualTo(new[] { 0, -1, 1, -1, -1, -1, -1, -1 }));
    }

    [TestCase("id,cluster\nnobody.wav,1\n", "labels 'nobody.wav', which the training manifest does not list")]
    [TestCase("name,cluster\nu0.wav,1\n", "line 1: labels need a header with the columns id and cluster")]
    [TestCase("id,cluster\nu0.wav,one\n", "line 2: 'u0.wav,one' is no line of id,cluster")]
    [TestCase("id,cluster\nu0.wav,1\nu0.wav,2\n", "line 3: 'u0.wav' is labelled twice")]
    [TestCase("", "line 1: labels need a header")]
    public void A_wrong_file_says_what_is_wrong(string text, string message) =>
        Assert.That(() => Make(text), Throws.TypeOf<DataFormatException>().With.Message.Contains(message));

    [Test]
    public void What_cannot_be_trained_on_is_refused()
    {
        Assert.That(() => Make("id,cluster\nu0.wav,1\nu1.wav,1\n"), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("1 of its 1 clusters").And.Message.Contains("2 or more"));
        Assert.That(
            () => Make("id,cluster\nu0.wav,1\nu1.wav,2\n", new LabelSpec { NearestShare = 0.5f }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("no column 'similarity'"));
        Assert.That(() => LabelFile.Read(_folder.At("none.csv")), Throws.TypeOf<DataFormatException>().With.Message.Contains("none.csv"));
        Assert.That(() => LabelFile.Read("x.npy"), Throws.TypeOf<DataFormatException>().With.Message.Contains("as CSV"));
    }

    [Test]
    public void Noise_gives_as_many_wrong_classes_as_asked_for()
    {
        using var corpus = VoicesCorpus.Random([.. Enumerable.Range(0, 200).Select(i => 100 + i)], speakers: 5);
        int[] members = [.. Enumerable.Range(0, 150)];
        var clean = ClassLabels.OfSpeakers(corpus);
        var noisy = ClassLabels.Make(new LabelSpec { Noise = 0.4f }, "", corpus, members, 3);
        Assert.That(members.Count(m => noisy.Of(m) != clean.Of(m)), Is.EqualTo(60));
        Assert.That(Enumerable.Range(150, 50).All(m => noisy.Of(m) == clean.Of(m)), "what is not trained on keeps its label");
        Assert.That(ClassLabels.Make(new LabelSpec { Noise = 0.4f }, "", corpus, members, 3).All.ToArray(), Is.EqualTo(noisy.All.ToArray()));
        Assert.That(ClassLabels.Make(new LabelSpec { Noise = 0.4f }, "", corpus, members, 4).All.ToArray(), Is.Not.EqualTo(noisy.All.ToArray()));
    }

    [Test]
    public void A_file_reads_as_it_was_written()
    {
        LabelRow[] rows = [new("a, b.wav", 3, 0.25f), new("c.wav", -1, 1e-7f)];
        new LabelFile(rows).Write(_folder.At("l.csv"));
        Assert.That(LabelFile.Read(_folder.At("l.csv")).Rows, Is.EqualTo(rows));
        new LabelFile([new("c.wav", 2)]).Write(_folder.At("m.csv"));
        Assert.That(File.ReadAllText(_folder.At("m.csv")), Is.EqualTo("id,cluster\nc.wav,2\n"));
    }

    private ClassLabels Make(string file, LabelSpec? spec = null, int[]? members = null) =>
        ClassLabels.Make((spec ?? new LabelSpec()) with { File = _folder.Text("labels.csv", file) }, "", _corpus, members ?? Everybody, 1);
}
