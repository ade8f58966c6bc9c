using System.Buffers.Binary;
using System.Text;
using NUnit.Framework;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Tests.Models;

public class SafetensorsFileTests
{
    private string _folder = "", _path = "";

    [SetUp]
    public void MakeFolder()
    {
        _folder = Directory.CreateTempSubdirectory("spk-safetensors").FullName;
        _path = Path.Combine(_folder, "model.safetensors");
    }

    [TearDown]
    public void RemoveFolder() => Directory.Delete(_folder, recursive: true);

    [Test]
    public void Everything_written_is_read_back()
    {
        var content = new SafetensorsContent();
        content.Add("weight", [1f, -2f, float.NaN, 4f, 5f, 6f], 2, 3);
        content.Add("flags", [(byte)1, (byte)0, (byte)255], 3);
        content.Add("step", [1L << 40]);
        content.Add("ids", [int.MinValue, 7], 2);
        content.Add("short", [short.MaxValue], 1);
        content.Add("empty", ReadOnlySpan<float>.Empty, 0, 4);
        content.Metadata["recipe"] = "a: \"b\"\nü";
        SafetensorsFile.Write(_path, content);

        using var file = SafetensorsFile.Open(_path);
        Assert.That(file.Metadata["recipe"], Is.EqualTo("a: \"b\"\nü"));
        Assert.That(file.Tensors["weight"].Shape, Is.EqualTo(new long[] { 2, 3 }));
        Assert.That(file.ReadSingle("weight"), Is.EqualTo(new[] { 1f, -2f, float.NaN, 4f, 5f, 6f }));
        Assert.That(file.ReadSingle("empty"), Is.Empty);
        Assert.That(ReadExact<byte>(file, "flags"), Is.EqualTo(new byte[] { 1, 0, 255 }));
        Assert.That(ReadExact<long>(file, "step"), Is.EqualTo(new[] { 1L << 40 }));
        Assert.That(ReadExact<int>(file, "ids"), Is.EqualTo(new[] { int.MinValue, 7 }));
        Assert.That(ReadExact<short>(file, "short"), Is.EqualTo(new[] { short.MaxValue }));
        Assert.That(file.Tensors["step"].Shape, Is.Empty);
        foreach (var entry in file.Tensors.Values)
        {
            Assert.That(entry.Offset % SafetensorsEntry.SizeOf(entry.Type), Is.Zero, $"{entry.Name} is aligned");
        }
    }

    [Test]
    public void Bytes_depend_on_the_content_alone_and_follow_the_format()
    {
        var first = new SafetensorsContent();
        first.Metadata["b"] = "2";
        first.Metadata["a"] = "1";
        first.Add("y", [1f], 1);
        first.Add("x", [2f], 1);
        var second = new SafetensorsContent();
        second.Add("x", SafetensorsType.F32, [1], stream => stream.Write(BitConverter.GetBytes(2f)));
        second.Add("y", [1f], 1);
        second.Metadata["a"] = "1";
        second.Metadata["b"] = "2";
        string other = Path.Combine(_folder, "other.safetensors");
        SafetensorsFile.Write(_path, first);
        SafetensorsFile.Write(other, second);

        byte[] bytes = File.ReadAllBytes(_path);
        Assert.That(File.ReadAllBytes(other), Is.EqualTo(bytes));
        long header = BinaryPrimitives.ReadInt64LittleEndian(bytes);
        Assert.That(header % 8, Is.Zero);
        string json = Encoding.UTF8.GetString(bytes, 8, (int)header).TrimEnd(' ');
        Assert.That(json, Does.Match("""^\{"__metadata__":\{"crc32c":"[0-9a-f]{8}","a":"1","b":"2"\},"x":\{"dtype":"F32","shape":\[1\],"data_offsets":\[0,4\]\},"y":\{"dtype":"F32","shape":\[1\],"data_offsets":\[4,8\]\}\}$"""));
        Assert.That(bytes.Length, Is.EqualTo(8 + header + 8));

        using var pipe = new PipeLike();
        SafetensorsWriter.Write(pipe, first);
        Assert.That(pipe.Bytes, Is.EqualTo(bytes), "a stream that cannot seek gets the same bytes");
    }

    [Test]
    public void Half_precision_and_doubles_are_widened()
    {
        var content = new SafetensorsContent();
        content.Add("half", [(Half)1.5f, (Half)(-2f)], 2);
        content.Add("double", [0.1, 2.0], 2);
        content.Add("bfloat", SafetensorsType.BF16, [2], s => s.Write([0xC0, 0x3F, 0x00, 0xC0]));
        SafetensorsFile.Write(_path, content);
        using var file = SafetensorsFile.Open(_path);
        Assert.That(file.ReadSingle("half"), Is.EqualTo(new[] { 1.5f, -2f }));
        Assert.That(file.ReadSingle("double"), Is.EqualTo(new[] { 0.1f, 2f }));
        Assert.That(file.ReadSingle("bfloat"), Is.EqualTo(new[] { 1.5f, -2f }));
    }

    [Test]
    public void Misuse_is_answered_with_names()
    {
        var content = new SafetensorsContent();
        content.Add("w", [1f, 2f], 2);
        Assert.That(() => content.Add("w", [1f], 1), Throws.ArgumentException.With.Message.Contains("'w'"));
        Assert.That(() => content.Add("v", [1f], 2), Throws.TypeOf<ShapeException>().With.Message.Contains("'v'"));
        Assert.That(() => content.Add("__metadata__", [1f], 1), Throws.ArgumentException);
        SafetensorsFile.Write(_path, content);
        using var file = SafetensorsFile.Open(_path);
        Assert.That(() => file.ReadSingle("x"), Throws.TypeOf<DataFormatException>().With.Message.Contains("no tensor 'x'"));
        Assert.That(() => file.Read("w", new float[3]), Throws.TypeOf<ShapeException>().With.Message.Contains("[2]"));
        Assert.That(() => file.ReadExact("w", new int[2].AsSpan()), Throws.TypeOf<DataFormatException>().With.Message.Contains("F32"));

        content.Add("short", SafetensorsType.F32, [2], s => s.Write([0, 0]));
        Assert.That(() => SafetensorsFile.Write(_path, content), Throws.InvalidOperationException.With.Message.Contains("'short'"));
        Assert.That(Directory.GetFiles(_folder), Has.Length.EqualTo(1), "no temporary file is left");
    }

    [Test]
    public void Every_truncation_is_noticed()
    {
        byte[] whole = Sample();
        for (int length = 0; length < whole.Length; length++)
        {
            File.WriteAllBytes(_path, whole[..length]);
            Assert.That(() => SafetensorsFile.Open(_path), Throws.TypeOf<DataFormatException>().With.Message.Contains(_path), $"cut to {length} bytes");
        }
    }

    [Test]
    public void Every_flipped_bit_of_the_tensors_is_noticed()
    {
        byte[] whole = Sample();
        int start = 8 + (int)BinaryPrimitives.ReadInt64LittleEndian(whole);
        for (int bit = start * 8; bit < whole.Length * 8; bit++)
        {
            byte[] damaged = [.. whole];
            damaged[bit / 8] ^= (byte)(1 << (bit % 8));
            File.WriteAllBytes(_path, damaged);
            Assert.That(() => SafetensorsFile.Open(_path), Throws.TypeOf<DataFormatException>().With.Message.Contains("checksum"));
        }

        Assert.That(() => SafetensorsFile.Open(_path, verifyChecksum: false).Dispose(), Throws.Nothing);
    }

    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}""", 6, "overlap")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "gap")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 9, "5 bytes follow")]
    [TestCase("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", 4, "needs 8 bytes")]
    [TestCase("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", 4, "shape")]
    [TestCase("""{"a":{"dtype":"F32","shape":[9223372036854775807,4],"data_offsets":[0,4]}}""", 4, "shape")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", 4, "shape")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}""", 4, "offsets")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 3, "truncated")]
    [TestCase("""{"a":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}""", 1, "'F8'")]
    [TestCase("""{"a":{"dtype":"3","shape":[1],"data_offsets":[0,4]}}""", 4, "'3'")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1]}}""", 4, "data_offsets")]
    [TestCase("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", 8, "twice")]
    [TestCase("""{"a":7}""", 0, "lacks")]
    [TestCase("""{"__metadata__":{"a":1}}""", 0, "not text")]
    [TestCase("""{"__metadata__":[]}""", 0, "map of text")]
    [TestCase("[]", 0, "not a JSON object")]
    [TestCase("{not json", 0, "not valid JSON")]
    public void A_damaged_header_is_refused(string header, int dataBytes, string message)
    {
        byte[] json = Encoding.UTF8.GetBytes(header);
        File.WriteAllBytes(_path, [.. BitConverter.GetBytes((long)json.Length), .. json, .. new byte[dataBytes]]);
        Assert.That(() => SafetensorsFile.Open(_path), Throws.TypeOf<DataFormatException>().With.Message.Contains(message).And.Message.Contains(_path));
    }

    [TestCase(long.MaxValue)]
    [TestCase(-1)]
    [TestCase(0)]
    [TestCase(99_000_000)]
    public void An_absurd_header_length_asks_for_no_memory(long length)
    {
        File.WriteAllBytes(_path, [.. BitConverter.GetBytes(length), .. "RIFF and so on"u8]);
        Assert.That(() => SafetensorsFile.Open(_path), Throws.TypeOf<DataFormatException>().With.Message.Contains("header"));
    }

    [Test]
    public void A_missing_file_is_one_sentence() =>
        Assert.That(() => SafetensorsFile.Open(_path), Throws.TypeOf<DataFormatException>().With.Message.Contains("cannot read"));

    private byte[] Sample()
    {
        var content = new SafetensorsContent();
        content.Add("w", [1f, 2f, 3f], 3);
        content.Add("b", [(byte)1], 1);
        SafetensorsFile.Write(_path, content);
        return File.ReadAllBytes(_path);
    }

    private static T[] ReadExact<T>(SafetensorsFile file, string name)
        where T : unmanaged
    {
        var values = new T[file.Tensors[name].Count];
        file.ReadExact(name, values.AsSpan());
        return values;
    }

    private sealed class PipeLike : MemoryStream
    {
        public override bool CanSeek => false;

        public byte[] Bytes => ToArray();
    }
}
