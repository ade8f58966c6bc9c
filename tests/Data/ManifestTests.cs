using NUnit.Framework;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class ManifestTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void Csv_with_all_columns_quotes_and_byte_order_mark()
    {
        string path = _folder.Text("m.csv", "\uFEFFpath,speaker,session,duration_s\r\n\"a, \"\"b\"\".wav\",s1,x,1.5\r\n\r\nc/d.wav,s2,,\r\n");

        var utterances = Manifest.Load(path).Utterances;

        Assert.That(utterances, Is.EqualTo(new[]
        {
            new Utterance("a, \"b\".wav", _folder.At("a, \"b\".wav"), "s1", "x", 1.5),
            new Utterance("c/d.wav", _folder.At("c", "d.wav"), "s2"),
        }));
    }

    [Test]
    public void Columns_come_in_any_order_and_most_are_optional()
    {
        string path = _folder.Text("m.csv", "duration_s,Path\n2,./x\\y.wav\n");

        var utterance = Manifest.Load(path, root: _folder.At("data")).Utterances.Single();

        Assert.That(utterance, Is.EqualTo(new Utterance("x/y.wav", _folder.At("data", "x", "y.wav"), DurationSeconds: 2)));
    }

    [Test]
    public void Sslsv_csv_is_recognized()
    {
        string path = _folder.Text("m.csv", "File,Speaker\nid1/a/1.wav,id1\nid2/b/1.wav,id2\n");

        var manifest = Manifest.Load(path);

        Assert.That(manifest.Utterances.Select(u => (u.Id, u.Speaker)), Is.EqualTo(new[] { ("id1/a/1.wav", "id1"), ("id2/b/1.wav", "id2") }));
        Assert.That(manifest.Speakers, Is.EqualTo(new[] { "id1", "id2" }));
    }

    [Test]
    public void Folder_tree_takes_speaker_and_session_from_the_folders_in_ordinal_order()
    {
        foreach (string name in new[] { "b/x/2.wav", "b/x/10.wav", "a/1.WAV", "loose.wav", "a/readme.txt", "a/late.flac" })
        {
            _folder.Text(name, "");
        }

        var manifest = Manifest.Load(_folder.Root);

        Assert.That(manifest.Utterances.Select(u => (u.Id, u.Speaker, u.Session)), Is.EqualTo(new[]
        {
            ("a/1.WAV", "a", null), ("a/late.flac", "a", null), ("b/x/10.wav", "b", "x"), ("b/x/2.wav", "b", "x"), ("loose.wav", (string?)null, (string?)null),
        }));
        Assert.That(Manifest.Load(_folder.At("b"), root: _folder.Root).Utterances[0].Id, Is.EqualTo("b/x/10.wav"), "ids start at the root");
    }

    [Test]
    public void Kaldi_directory_keeps_its_ids_and_need_not_be_sorted()
    {
        _folder.Text("wav.scp", "u2 audio/2.wav\nu1\t/abs/1.wav\n");
        _folder.Text("utt2spk", "u1 s1\nu2 s2\n");

        var utterances = Manifest.Load(_folder.Root).Utterances;

        Assert.That(utterances, Is.EqualTo(new[] { new Utterance("u2", _folder.At("audio", "2.wav"), "s2"), new Utterance("u1", "/abs/1.wav", "s1") }));
    }

    [Test]
    public void Kaldi_faults_are_named()
    {
        _folder.Text("pipe/wav.scp", "u1 sph2pipe -f wav x.sph |\n");
        _folder.Text("ark/wav.scp", "u1 wav.ark:123\n");
        _folder.Text("lone/wav.scp", "u1\n");
        _folder.Text("more/wav.scp", "u1 a.wav\nu2 b.wav\n");
        _folder.Text("more/utt2spk", "u1 s1\nu3 s3\n");
        _folder.Text("twice/wav.scp", "u1 a.wav\nu1 b.wav\n");
        _folder.Text("cut/wav.scp", "u1 a.wav\n");
        _folder.Text("cut/segments", "u1-1 u1 0 1\n");

        Refuses(_folder.At("pipe"), "line 1", "pipes are not executed");
        Refuses(_folder.At("ark"), "archive");
        Refuses(_folder.At("lone"), "line 1");
        Refuses(_folder.At("more"), "1 utterance is in wav.scp and not in utt2spk", "'u2'", "1 more problem");
        Refuses(_folder.At("twice"), "'u1' twice");
        Refuses(_folder.At("cut"), "segments");
    }

    [Test]
    public void Csv_faults_name_file_and_line()
    {
        Refuses(_folder.Text("a.csv", "speaker,session\ns,1\n"), "a.csv, line 1", "no path column");
        Refuses(_folder.Text("b.csv", "path,speaker\nx.wav\n"), "b.csv, line 2", "1 fields where the header has 2");
        Refuses(_folder.Text("c.csv", "path,duration_s\nx.wav,long\n"), "c.csv, line 2", "'long'");
        Refuses(_folder.Text("d.csv", "path,duration_s\nx.wav,NaN\n"), "line 2", "'NaN'");
        Refuses(_folder.Text("e.csv", "path\nx.wav\n\n\"y.wav\n"), "e.csv, line 4", "quote");
        Refuses(_folder.Text("f.csv", "path,speaker\n ,s\n"), "line 2", "path is empty");
        Refuses(_folder.Text("g.csv", "path\nx.wav\nx.wav\n"), "g.csv", "'x.wav' twice", "entries 1 and 2");
        Refuses(_folder.Text("h.csv", "path\n"), "lists no utterance");
        Refuses(_folder.Text("i.csv", ""), "is empty");
        Refuses(_folder.At("absent.csv"), "does not exist");
        Directory.CreateDirectory(_folder.At("bare"));
        Refuses(_folder.At("bare"), "lists no utterance", "no .wav file");
    }

    [Test]
    public void Written_csv_reads_back()
    {
        var manifest = new Manifest([new Utterance("a \"x\", b.wav", "/p", "s,1", null, 1.25), new Utterance("c.wav", "/q")]);
        manifest.WriteCsv(_folder.At("m.csv"));

        var read = Manifest.Load(_folder.At("m.csv")).Utterances;

        Assert.That(read.Select(u => (u.Id, u.Speaker, u.Session, u.DurationSeconds)), Is.EqualTo(manifest.Utterances.Select(u => (u.Id, u.Speaker, u.Session, u.DurationSeconds))));
    }

    [Test]
    public void Filter_that_leaves_nothing_is_an_error()
    {
        var manifest = new Manifest([new Utterance("a", "/a", "s")], "list");
        Assert.That(manifest.Where(u => u.Speaker == "s").Utterances, Has.Count.EqualTo(1));
        Assert.That(Assert.Throws<DataFormatException>(() => manifest.Where(_ => false))!.Message, Does.Contain("None of the 1 utterances of list"));
    }

    private static void Refuses(string path, params string[] parts)
    {
        string message = Assert.Throws<DataFormatException>(() => Manifest.Load(path))!.Message;
        foreach (string part in parts)
        {
            Assert.That(message, Does.Contain(part));
        }
    }
}
