using System.Buffers.Binary;
using System.Text;
using NUnit.Framework;
using Spk.Engine.Numerics;
using Spk.Interop;
using Spk.Training.Reports;

namespace Spk.Tests.Reports;

public class TensorBoardWriterTests
{
    private string _folder = "";

    [SetUp]
    public void MakeFolder() => _folder = Directory.CreateTempSubdirectory("spk-events").FullName;

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Checksums_match_published_values()
    {
        // RFC 3720, B.4, and the check value of the CRC catalogue.
        Assert.That(Crc32C.Compute("123456789"u8), Is.EqualTo(0xE3069283u));
        Assert.That(Crc32C.Compute(new byte[32]), Is.EqualTo(0x8A9136AAu));
        Assert.That(Crc32C.Compute([.. Enumerable.Repeat((byte)0xFF, 32)]), Is.EqualTo(0x62A8AB43u));
        Assert.That(Crc32C.Compute([.. Enumerable.Range(0, 32).Select(i => (byte)i)]), Is.EqualTo(0x46DD794Eu));
        Assert.That(Crc32C.Compute([]), Is.Zero);
        uint parts = Crc32C.Append(Crc32C.Append(Crc32C.Start, "12345"u8), "6789"u8);
        Assert.That(Crc32C.Finish(parts), Is.EqualTo(0xE3069283u), "in parts");
    }

    [Test]
    public void The_mask_of_a_record_length_is_that_of_known_files()
    {
        // A file begins with a 24-byte version event in every TensorFlow log: 18 00 00 00 00 00 00 00 a3 7f 4b 22.
        byte[] length = new byte[8];
        length[0] = 24;
        Assert.That(TensorBoardWriter.MaskedChecksum(length), Is.EqualTo(0x224B7FA3u));
    }

    [Test]
    public void Scalars_and_texts_can_be_read_back()
    {
        string path;
        using (var writer = new TensorBoardWriter(Path.Combine(_folder, "run"), new Clock()))
        {
            writer.Scalar("train/loss", 5.75f, 0);
            writer.Scalar("train/loss", -2f, 1L << 33);
            writer.Text("recipe", new string('ü', 300), 0);
            writer.Flush();
            path = writer.Path;
            Assert.That(new FileInfo(path).Length, Is.GreaterThan(600), "flushed before it is closed");
        }

        Assert.That(Path.GetFileName(path), Does.StartWith("events.out.tfevents.1000000000."));
        var events = ReadRecords(path).Select(Fields).ToList();
        Assert.That(events, Has.Count.EqualTo(4));
        Assert.That(BitConverter.ToDouble(events[0][1]), Is.EqualTo(1e9));
        Assert.That(Encoding.UTF8.GetString(events[0][3]), Is.EqualTo("brain.Event:2"));
        var first = Fields(Fields(events[1][5])[1]);
        Assert.That(Encoding.UTF8.GetString(first[1]), Is.EqualTo("train/loss"));
        Assert.That(BitConverter.ToSingle(first[2]), Is.EqualTo(5.75f));
        Assert.That(BitConverter.ToInt64(events[2][2]), Is.EqualTo(1L << 33));
        var text = Fields(Fields(events[3][5])[1]);
        Assert.That(Encoding.UTF8.GetString(Fields(text[8])[8]), Is.EqualTo(new string('ü', 300)));
        Assert.That(Encoding.UTF8.GetString(Fields(Fields(text[9])[1])[1]), Is.EqualTo("text"));
    }

    [Test]
    public void A_second_writer_leaves_the_first_file_alone()
    {
        using var first = new TensorBoardWriter(_folder, new Clock());
        using var second = new TensorBoardWriter(_folder, new Clock());
        Assert.That(second.Path, Is.Not.EqualTo(first.Path));
    }

    [Test]
    public void Scalars_allocate_nothing_in_steady_state()
    {
        using var writer = new TensorBoardWriter(_folder);
        for (int i = 0; i < 100; i++)
        {
            writer.Scalar("train/loss", i, i);
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < 1000; i++)
        {
            writer.Scalar("train/loss", i, i);
        }

        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
    }

    [Test]
    public void An_unwritable_folder_is_named()
    {
        string file = Path.Combine(_folder, "file");
        File.WriteAllText(file, "");
        Assert.That(() => new TensorBoardWriter(Path.Combine(file, "run")), Throws.TypeOf<SpkException>().With.Message.Contains(file));
    }

    private static List<byte[]> ReadRecords(string path)
    {
        byte[] bytes = File.ReadAllBytes(path);
        var records = new List<byte[]>();
        for (int at = 0; at < bytes.Length;)
        {
            int length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes.AsSpan(at));
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 8)), Is.EqualTo(TensorBoardWriter.MaskedChecksum(bytes.AsSpan(at, 8))));
            byte[] data = bytes[(at + 12)..(at + 12 + length)];
            Assert.That(BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(at + 12 + length)), Is.EqualTo(TensorBoardWriter.MaskedChecksum(data)));
            records.Add(data);
            at += 16 + length;
        }

        return records;
    }

    /// <summary>A protocol buffer by field number; whole numbers as 8 bytes.</summary>
    private static Dictionary<int, byte[]> Fields(byte[] message)
    {
        var fields = new Dictionary<int, byte[]>();
        int at = 0;
        while (at < message.Length)
        {
            ulong key = Varint();
            int length = (key & 7) switch { 1 => 8, 5 => 4, 2 => (int)Varint(), _ => 0 };
            fields[(int)(key >> 3)] = (key & 7) == 0 ? BitConverter.GetBytes(Varint()) : message[at..(at + length)];
            at += length;
        }

        return fields;

        ulong Varint()
        {
            ulong value = 0;
            for (int shift = 0; ; shift += 7)
            {
                byte next = message[at++];
                value |= (ulong)(next & 127) << shift;
                if (next < 128)
                {
                    return value;
                }
            }
        }
    }

    private sealed class Clock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => DateTimeOffset.FromUnixTimeSeconds(1_000_000_000);
    }
}
