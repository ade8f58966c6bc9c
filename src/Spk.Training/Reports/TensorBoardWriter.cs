using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Reports;

/// <summary>
/// Writes event files that TensorBoard reads: TFRecord framing with masked CRC-32C around protocol buffers written by hand. A new
/// file is begun each time, never an old one touched; TensorBoard joins the files of a folder, so a resumed run goes on.
/// </summary>
/// <remarks>Not safe for use from several threads at once.</remarks>
public sealed class TensorBoardWriter : IDisposable
{
    private static int _serial;

    private readonly TimeProvider _time;
    private readonly FileStream _stream;
    private readonly ProtocolBuffer _value = new();
    private readonly ProtocolBuffer _summary = new();
    private readonly ProtocolBuffer _event = new();

    /// <summary>Begins an event file.</summary>
    /// <param name="folder">Folder of the run; made where it is missing.</param>
    /// <param name="time">Clock of the events; null for the system's.</param>
    /// <exception cref="SpkException">The file cannot be made.</exception>
    public TensorBoardWriter(string folder, TimeProvider? time = null)
    {
        ArgumentException.ThrowIfNullOrEmpty(folder);
        _time = time ?? TimeProvider.System;
        string name = string.Create(
            CultureInfo.InvariantCulture,
            $"events.out.tfevents.{_time.GetUtcNow().ToUnixTimeSeconds():0000000000}.{Environment.MachineName}.{Environment.ProcessId}.{Interlocked.Increment(ref _serial)}");
        Path = System.IO.Path.Combine(folder, name);
        try
        {
            Directory.CreateDirectory(folder);
            _stream = new FileStream(Path, FileMode.CreateNew, FileAccess.Write, FileShare.Read, bufferSize: 1 << 15);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Failure(error);
        }

        BeginEvent(step: 0);
        _event.Text(3, "brain.Event:2");
        WriteRecord(_event.Written);
    }

    /// <summary>The event file.</summary>
    public string Path { get; }

    /// <summary>Adds a point to a curve.</summary>
    /// <param name="tag">Name of the curve; a slash groups curves (<c>train/loss</c>).</param>
    /// <param name="value">The value; NaN is kept, and TensorBoard marks it.</param>
    /// <param name="step">Training step or epoch.</param>
    /// <exception cref="SpkException">The disk refuses the write.</exception>
    public void Scalar(string tag, float value, long step)
    {
        ArgumentException.ThrowIfNullOrEmpty(tag);
        _value.Clear();
        _value.Text(1, tag);
        _value.Single(2, value);
        WriteSummary(step);
    }

    /// <summary>Adds a text, shown as Markdown: a recipe, a note.</summary>
    /// <param name="tag">Name of the text.</param>
    /// <param name="text">The text.</param>
    /// <param name="step">Training step or epoch.</param>
    /// <exception cref="SpkException">The disk refuses the write.</exception>
    public void Text(string tag, string text, long step)
    {
        ArgumentException.ThrowIfNullOrEmpty(tag);
        ArgumentNullException.ThrowIfNull(text);
        var plugin = new ProtocolBuffer();
        plugin.Text(1, "text");
        var metadata = new ProtocolBuffer();
        metadata.Bytes(1, plugin.Written);
        var dimension = new ProtocolBuffer();
        dimension.Integer(1, 1);
        var shape = new ProtocolBuffer();
        shape.Bytes(2, dimension.Written);
        var tensor = new ProtocolBuffer();
        tensor.Integer(1, 7); // DT_STRING
        tensor.Bytes(2, shape.Written);
        tensor.Text(8, text);
        _value.Clear();
        _value.Text(1, tag);
        _value.Bytes(8, tensor.Written);
        _value.Bytes(9, metadata.Written);
        WriteSummary(step);
    }

    /// <summary>Hands everything written so far to the operating system, so that a reader sees it and a killed process keeps it.</summary>
    /// <exception cref="SpkException">The disk refuses the write.</exception>
    public void Flush()
    {
        try
        {
            _stream.Flush();
        }
        catch (IOException error)
        {
            throw Failure(error);
        }
    }

    /// <summary>Flushes and closes the file.</summary>
    public void Dispose() => _stream.Dispose();

    /// <summary>The masked checksum of a TFRecord: a rotation and an offset, so that checksums of checksums stay useful.</summary>
    internal static uint MaskedChecksum(ReadOnlySpan<byte> bytes)
    {
        uint checksum = Crc32C.Compute(bytes);
        return ((checksum >> 15) | (checksum << 17)) + 0xa282ead8;
    }

    private void BeginEvent(long step)
    {
        _event.Clear();
        _event.Double(1, (_time.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalSeconds);
        _event.Integer(2, step);
    }

    private void WriteSummary(long step)
    {
        _summary.Clear();
        _summary.Bytes(1, _value.Written);
        BeginEvent(step);
        _event.Bytes(5, _summary.Written);
        WriteRecord(_event.Written);
    }

    private void WriteRecord(ReadOnlySpan<byte> data)
    {
        Span<byte> head = stackalloc byte[12];
        BinaryPrimitives.WriteUInt64LittleEndian(head, (ulong)data.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(head[8..], MaskedChecksum(head[..8]));
        Span<byte> foot = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(foot, MaskedChecksum(data));
        try
        {
            _stream.Write(head);
            _stream.Write(data);
            _stream.Write(foot);
        }
        catch (IOException error)
        {
            throw Failure(error);
        }
    }

    private SpkException Failure(Exception error) => new($"cannot write {Path}: {error.Message}", error);

    /// <summary>The few wire types of protocol buffers that an event needs, in a buffer that is used again.</summary>
    private sealed class ProtocolBuffer
    {
        private byte[] _bytes = new byte[256];
        private int _length;

        public ReadOnlySpan<byte> Written => _bytes.AsSpan(0, _length);

        public void Clear() => _length = 0;

        public void Integer(int field, long value)
        {
            Varint((ulong)field << 3);
            Varint((ulong)value);
        }

        public void Double(int field, double value)
        {
            Varint(((ulong)field << 3) | 1);
            BinaryPrimitives.WriteDoubleLittleEndian(Room(8), value);
        }

        public void Single(int field, float value)
        {
            Varint(((ulong)field << 3) | 5);
            BinaryPrimitives.WriteSingleLittleEndian(Room(4), value);
        }

        public void Bytes(int field, ReadOnlySpan<byte> value)
        {
            Varint(((ulong)field << 3) | 2);
            Varint((ulong)value.Length);
            value.CopyTo(Room(value.Length));
        }

        public void Text(int field, string value)
        {
            int count = Encoding.UTF8.GetByteCount(value);
            Varint(((ulong)field << 3) | 2);
            Varint((ulong)count);
            Encoding.UTF8.GetBytes(value, Room(count));
        }

        private void Varint(ulong value)
        {
            for (; value >= 0x80; value >>= 7)
            {
                Room(1)[0] = (byte)(value | 0x80);
            }

            Room(1)[0] = (byte)value;
        }

        private Span<byte> Room(int count)
        {
            if (_length + count > _bytes.Length)
            {
                Array.Resize(ref _bytes, Math.Max(2 * _bytes.Length, _length + count));
            }

            _length += count;
            return _bytes.AsSpan(_length - count, count);
        }
    }
}
