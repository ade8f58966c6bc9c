using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Spk.Engine.Numerics;

namespace Spk.Engine.Models;

/// <summary>Lays out a safetensors file: equal content gives equal bytes.</summary>
internal static class SafetensorsWriter
{
    private const string NoChecksum = "00000000";

    public static void Write(Stream stream, SafetensorsContent content)
    {
        var items = content.InFileOrder();
        byte[] header = Header(content, items, out int checksumAt);
        Span<byte> length = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        if (!stream.CanSeek)
        {
            // The checksum stands before the bytes it covers, so a pipe gets a second pass over the tensors.
            var dry = new ChecksumStream(Stream.Null);
            WriteTensors(dry, items);
            Encoding.ASCII.GetBytes(dry.Hexadecimal, header.AsSpan(checksumAt));
        }

        long start = stream.CanSeek ? stream.Position : 0;
        stream.Write(length);
        stream.Write(header);
        var data = new ChecksumStream(stream);
        WriteTensors(data, items);
        if (stream.CanSeek)
        {
            long end = stream.Position;
            stream.Position = start + 8 + checksumAt;
            stream.Write(Encoding.ASCII.GetBytes(data.Hexadecimal));
            stream.Position = end;
        }
    }

    private static void WriteTensors(ChecksumStream stream, IReadOnlyList<SafetensorsContent.Item> items)
    {
        foreach (var item in items)
        {
            long before = stream.Written;
            item.Write(stream);
            if (stream.Written - before != item.ByteCount)
            {
                throw new InvalidOperationException(
                    $"The writer of tensor '{item.Name}' gave {stream.Written - before} bytes where its shape needs {item.ByteCount}.");
            }
        }
    }

    private static byte[] Header(SafetensorsContent content, IReadOnlyList<SafetensorsContent.Item> items, out int checksumAt)
    {
        var buffer = new ArrayBufferWriter<byte>();
        // Relaxed escaping keeps a recipe inside the metadata readable; the header is never pasted into HTML.
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            json.WriteStartObject();
            json.WriteStartObject(SafetensorsFile.MetadataKey);
            // First, at a fixed place, because it is filled in last.
            json.WriteString(SafetensorsFile.ChecksumKey, NoChecksum);
            foreach (var (key, value) in content.Metadata)
            {
                if (key != SafetensorsFile.ChecksumKey)
                {
                    json.WriteString(key, value);
                }
            }

            json.WriteEndObject();
            long offset = 0;
            foreach (var item in items)
            {
                json.WriteStartObject(item.Name);
                json.WriteString("dtype", item.Type.ToString());
                json.WriteStartArray("shape");
                foreach (int axis in item.Shape)
                {
                    json.WriteNumberValue(axis);
                }

                json.WriteEndArray();
                json.WriteStartArray("data_offsets");
                json.WriteNumberValue(offset);
                json.WriteNumberValue(offset += item.ByteCount);
                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndObject();
        }

        checksumAt = buffer.WrittenSpan.IndexOf(Encoding.ASCII.GetBytes(NoChecksum));
        var header = new byte[(buffer.WrittenCount + 7) / 8 * 8];
        header.AsSpan().Fill((byte)' ');
        buffer.WrittenSpan.CopyTo(header);
        return header;
    }

    /// <summary>Passes bytes on and keeps their checksum.</summary>
    private sealed class ChecksumStream(Stream inner) : Stream
    {
        private uint _state = Crc32C.Start;

        public long Written { get; private set; }

        public string Hexadecimal => Crc32C.Hexadecimal(_state);

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => Written; set => throw new NotSupportedException(); }

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _state = Crc32C.Append(_state, buffer);
            Written += buffer.Length;
            inner.Write(buffer);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() => inner.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
