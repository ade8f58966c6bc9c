using System.Buffers.Binary;
using NUnit.Framework;
using Spk.Engine.Audio;
using Spk.Engine.Numerics;
using Spk.Interop;
using Spk.Tests.Support;
using Spk.Training.Data;

namespace Spk.Tests.Data;

public class CorpusTests
{
    private TemporaryFolder _folder = null!;

    [SetUp]
    public void MakeFolder() => _folder = new TemporaryFolder();

    [TearDown]
    public void DeleteFolder() => _folder.Dispose();

    [Test]
    public void Loaded_and_packed_corpus_hold_the_files_samples()
    {
        var want = VoicesCorpus.Write(_folder, 1, 31, 32, 33, 1000);
        var manifest = Manifest.Load(_folder.At("m.csv"));
        CorpusPack.Write(_folder.At("c.pack"), manifest);

        using var loaded = Corpus.Load(manifest);
        using var packed = Corpus.OpenPack(_folder.At("c.pack"));

        foreach (var corpus in new[] { loaded, packed })
        {
            Assert.That(corpus.Count, Is.EqualTo(want.Length));
            Assert.That(corpus.SampleRate, Is.EqualTo(16000));
            Assert.That(corpus.TotalSamples, Is.EqualTo(want.Sum(w => w.Length)));
            Assert.That(corpus.Speakers, Is.EqualTo(new[] { "sp0", "sp1" }));
            Assert.That(Enumerable.Range(0, 5).Select(corpus.SpeakerOf), Is.EqualTo(new[] { -1, 1, 0, 1, 0 }));
            Assert.That(corpus.IndexOf("3.wav"), Is.EqualTo(3));
            Assert.That(corpus.IndexOf("9.wav"), Is.EqualTo(-1));
            Assert.That(corpus.Utterances.Select(u => u.Session), Is.EqualTo(new[] { null, "x1", "x2", "x3", "x4" }));
            for (int i = 0; i < want.Length; i++)
            {
                Assert.That(corpus.Utterance(i).ToArray(), Is.EqualTo(want[i]), $"utterance {i}");
                Assert.That(corpus.LengthOf(i), Is.EqualTo(want[i].Length));
            }
        }

        Assert.That(CorpusPack.IsPack(_folder.At("c.pack")));
        Assert.That(CorpusPack.IsPack(_folder.At("0.wav")), Is.False);
        Assert.That(CorpusPack.Verify(_folder.At("c.pack")), Is.Empty);
    }

    [Test]
    public void Packing_twice_gives_the_same_bytes_and_leaves_nothing_else()
    {
        VoicesCorpus.Write(_folder, 700, 800);
        CorpusPack.Write(_folder.At("a.pack"), Manifest.Load(_folder.At("m.csv")));
        CorpusPack.Write(_folder.At("b.pack"), Manifest.Load(_folder.At("m.csv")));

        Assert.That(File.ReadAllBytes(_folder.At("a.pack")), Is.EqualTo(File.ReadAllBytes(_folder.At("b.pack"))));
        Assert.That(Directory.GetFiles(_folder.Root), Has.Length.EqualTo(5));
    }

    [Test]
    public void Several_blocks_of_files_keep_their_order()
    {
        var want = VoicesCorpus.Write(_folder, [.. Enumerable.Range(1, 600)]);
        CorpusPack.Write(_folder.At("c.pack"), Manifest.Load(_folder.At("m.csv")));
        using var corpus = Corpus.OpenPack(_folder.At("c.pack"));
        for (int i = 0; i < want.Length; i++)
        {
            Assert.That(corpus.Utterance(i).SequenceEqual(want[i]), $"utterance {i}");
        }
    }

    [Test]
    public void Other_rate_is_refused_or_resampled_on_request()
    {
        WavFile.Write(_folder.At("a.wav"), VoicesCorpus.Pcm(1, 800), 8000);
        WavFile.Write(_folder.At("b.wav"), VoicesCorpus.Pcm(2, 1600), 16000);
        WavFile.Write(_folder.At("c.wav"), VoicesCorpus.Pcm(2, 1600), 44100);
        var manifest = Manifest.Load(_folder.Root);

        string message = Assert.Throws<DataFormatException>(() => Corpus.Load(manifest))!.Message;
        Assert.That(message, Does.Contain("a.wav has 8000 Hz where 16000 Hz is wanted").And.Contain("1 more of 3 files").And.Contain("data.resample"));
        Assert.Throws<DataFormatException>(() => CorpusPack.Write(_folder.At("c.pack"), manifest));
        Assert.That(Directory.GetFiles(_folder.Root), Has.Length.EqualTo(3), "no pack, no temporary file");

        using var corpus = Corpus.Load(manifest, new CorpusOptions { Resample = true });
        Assert.That(corpus.LengthOf(0), Is.EqualTo(1600));
        Assert.That(corpus.Utterance(1).SequenceEqual(VoicesCorpus.Pcm(2, 1600)));
    }

    [Test]
    public void First_bad_file_in_list_order_is_named_and_the_rest_counted()
    {
        VoicesCorpus.Write(_folder, 100, 100, 100, 100);
        File.Delete(_folder.At("1.wav"));
        File.WriteAllText(_folder.At("3.wav"), "x");

        string message = Assert.Throws<DataFormatException>(() => Corpus.Load(Manifest.Load(_folder.At("m.csv"))))!.Message;

        Assert.That(message, Does.Contain("1.wav does not exist").And.Contain("1 more of 4 files"));
    }

    [Test]
    public void Use_after_dispose_throws()
    {
        var corpus = VoicesCorpus.Random([10]);
        corpus.Dispose();
        corpus.Dispose();
        Assert.Throws<ObjectDisposedException>(() => corpus.Utterance(0));
    }

    [Test]
    public void Damage_to_samples_is_found_by_verify()
    {
        VoicesCorpus.Write(_folder, 100, 100, 100);
        string pack = _folder.At("c.pack");
        CorpusPack.Write(pack, Manifest.Load(_folder.At("m.csv")));
        byte[] bytes = File.ReadAllBytes(pack);
        bytes[64 + 256 + 5] ^= 1;
        File.WriteAllBytes(pack, bytes);

        Assert.That(CorpusPack.Verify(pack), Is.EqualTo(new[] { "1.wav" }));
    }

    [Test]
    public void Damaged_packs_are_refused()
    {
        VoicesCorpus.Write(_folder, 100, 100);
        string pack = _folder.At("c.pack");
        CorpusPack.Write(pack, Manifest.Load(_folder.At("m.csv")));
        byte[] sound = File.ReadAllBytes(pack);

        Refuses(sound[..^1], "truncated");
        Refuses(sound[..70], "truncated");
        Refuses(sound[..10], "10 bytes");
        Refuses([], "empty");
        Refuses([.. new byte[200]], "SPKPACK");
        Refuses(With(sound, 8, 9), "version 9");
        Refuses(With(sound, 40, 1), "header", "checksum");
        Refuses(With(sound, sound.Length - 3, 77), "index", "checksum");
        Assert.That(
            Assert.Throws<DataFormatException>(() => Corpus.OpenPack(_folder.At("no.pack")))!.Message, Does.Contain("no.pack does not exist"));

        void Refuses(byte[] bytes, params string[] parts)
        {
            string path = _folder.Bytes("bad.pack", bytes);
            string message = Assert.Throws<DataFormatException>(() => Corpus.OpenPack(path))!.Message;
            foreach (string part in parts)
            {
                Assert.That(message, Does.Contain(part));
            }

            File.Delete(path);
        }
    }

    [Test]
    public void Index_that_points_outside_the_file_is_refused()
    {
        VoicesCorpus.Write(_folder, 100);
        string pack = _folder.At("c.pack");
        CorpusPack.Write(pack, Manifest.Load(_folder.At("m.csv")));
        byte[] bytes = File.ReadAllBytes(pack);
        int index = (int)BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(16));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(index + 8), int.MaxValue);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(32), Crc32C.Compute(bytes.AsSpan(index)));
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(60), Crc32C.Compute(bytes.AsSpan(0, 60)));

        string path = _folder.Bytes("bad.pack", bytes);

        Assert.That(Assert.Throws<DataFormatException>(() => Corpus.OpenPack(path))!.Message, Does.Contain("outside the file"));
    }

    [Test]
    public void Unwritable_pack_is_one_sentence()
    {
        VoicesCorpus.Write(_folder, 100);
        Directory.CreateDirectory(_folder.At("taken"));
        Assert.Throws<SpkException>(() => CorpusPack.Write(_folder.At("taken"), Manifest.Load(_folder.At("m.csv"))));
    }

    private static byte[] With(byte[] bytes, int at, byte value)
    {
        byte[] copy = [.. bytes];
        copy[at] = value;
        return copy;
    }
}
