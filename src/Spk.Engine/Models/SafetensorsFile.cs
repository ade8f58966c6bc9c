using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Spk.Interop;

namespace Spk.Engine.Models;

/// <summary>
/// Reads safetensors files (https://github.com/huggingface/safetensors): a length, a JSON header, raw tensors. Opening checks
/// the whole header and, where the file was written by <see cref="Write"/>, a checksum of the tensors.
/// </summary>
/// <remarks>Reading different tensors from several threads is allowed.</remarks>
public sealed class SafetensorsFile : IDisposable
{
    internal const string MetadataKey = "__metadata__";

    /// <summary>Metadata key of the CRC-32C of all tensor bytes, 8 hexadecimal digits; files of other programs lack it.</summary>
    internal const string ChecksumKey = "crc32c";

    private readonly SafeFileHandle _handle;
    private readonly long _dataStart;

    private SafetensorsFile(string path, SafeFileHandle handle, SafetensorsHeader header, long dataStart)
    {
        Path = path;
        _handle = handle;
        _dataStart = dataStart;
        Metadata = header.Metadata;
        Tensors = header.Tensors;
    }

    /// <summary>The file.</summary>
    public string Path { get; }

    /// <summary>Text by key; empty where the file has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Tensors by name.</summary>
    public IReadOnlyDictionary<string, SafetensorsEntry> Tensors { get; }

    /// <summary>Writes a file, all or nothing (<see cref="AtomicFile"/>).</summary>
    /// <param name="path">The file to replace or make.</param>
    /// <param name="content">Tensors and metadata.</param>
    /// <exception cref="SpkException">The file cannot be written (disk full, permission); an older one is untouched.</exception>
    public static void Write(string path, SafetensorsContent content)
    {
        ArgumentNullException.ThrowIfNull(content);
        AtomicFile.Write(path, stream => SafetensorsWriter.Write(stream, content));
    }

    /// <summary>Opens a file and checks it.</summary>
    /// <param name="path">The file.</param>
    /// <param name="verifyChecksum">Reads all tensors once to compare their checksum, where the file has one.</param>
    /// <returns>The open file; dispose it.</returns>
    /// <exception cref="DataFormatException">The file is missing, truncated or damaged; the message says where.</exception>
    public static SafetensorsFile Open(string path, bool verifyChecksum = true)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path);
            long length = RandomAccess.GetLength(handle);
            Span<byte> prefix = stackalloc byte[8];
            if (length < 8 || RandomAccess.Read(handle, prefix, 0) < 8)
            {
                throw SafetensorsHeader.Damaged(path, $"it has {length} bytes, fewer than the 8 of its header's length");
            }

            ulong headerLength = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
            if (headerLength is < 2 or > SafetensorsHeader.MaximumBytes || headerLength > (ulong)(length - 8))
            {
                throw SafetensorsHeader.Damaged(
                    path, $"its header claims {headerLength} bytes of the {length - 8} that follow, so it is truncated or no safetensors file");
            }

            var text = new byte[(int)headerLength];
            ReadFully(handle, text, 8, path);
            long dataStart = 8 + (long)headerLength;
            var header = SafetensorsHeader.Parse(path, text, length - dataStart);
            if (verifyChecksum && header.Metadata.TryGetValue(ChecksumKey, out string? wanted))
            {
                Verify(handle, path, dataStart, length, wanted);
            }

            return new SafetensorsFile(path, handle, header, dataStart);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            handle?.Dispose();
            throw new DataFormatException($"cannot read {path}: {error.Message}", error);
        }
        catch
        {
            handle?.Dispose();
            throw;
        }
    }

    /// <summary>Reads a tensor as stored.</summary>
    /// <typeparam name="T">.NET type of the elements; BF16 is read as <see cref="ushort"/>.</typeparam>
    /// <param name="name">Tensor name.</param>
    /// <param name="values">Receives all elements, row-major.</param>
    /// <exception cref="DataFormatException">There is no such tensor, or its elements are of another type.</exception>
    /// <exception cref="ShapeException">There is not room for exactly its elements.</exception>
    public void ReadExact<T>(string name, Span<T> values)
        where T : unmanaged
    {
        var entry = Entry(name, values.Length);
        if (!SafetensorsEntry.Holds<T>(entry.Type))
        {
            throw new DataFormatException($"{Path}: tensor '{name}' holds {entry.Type} elements, not {SafetensorsEntry.TypeOf<T>()}.");
        }

        ReadFully(_handle, MemoryMarshal.AsBytes(values), _dataStart + entry.Offset, Path);
    }

    /// <summary>Reads a tensor of floats (F32, F64, F16 or BF16) as f32.</summary>
    /// <param name="name">Tensor name.</param>
    /// <param name="values">Receives all elements, row-major.</param>
    /// <exception cref="DataFormatException">There is no such tensor, or it does not hold floats.</exception>
    /// <exception cref="ShapeException">There is not room for exactly its elements.</exception>
    public void Read(string name, Span<float> values)
    {
        var entry = Entry(name, values.Length);
        switch (entry.Type)
        {
            case SafetensorsType.F32:
                ReadExact(name, values);
                break;
            case SafetensorsType.F64:
                var doubles = new double[values.Length];
                ReadExact(name, doubles.AsSpan());
                System.Numerics.Tensors.TensorPrimitives.ConvertTruncating<double, float>(doubles, values);
                break;
            case SafetensorsType.F16:
                var halves = new Half[values.Length];
                ReadExact(name, halves.AsSpan());
                System.Numerics.Tensors.TensorPrimitives.ConvertToSingle(halves, values);
                break;
            case SafetensorsType.BF16:
                var words = new ushort[values.Length];
                ReadExact(name, words.AsSpan());
                for (int i = 0; i < words.Length; i++)
                {
                    values[i] = BitConverter.UInt32BitsToSingle((uint)words[i] << 16);
                }

                break;
            default:
                throw new DataFormatException($"{Path}: tensor '{name}' holds {entry.Type} elements where floats are needed.");
        }
    }

    /// <summary>Reads a tensor of floats into a new array.</summary>
    /// <param name="name">Tensor name.</param>
    /// <returns>All elements, row-major, as f32.</returns>
    /// <exception cref="DataFormatException">There is no such tensor, it does not hold floats, or it is too large for an array.</exception>
    public float[] ReadSingle(string name)
    {
        var entry = Find(name);
        if (entry.Count > Array.MaxLength)
        {
            throw new DataFormatException($"{Path}: tensor '{name}' has {entry.Count} elements, more than fit an array.");
        }

        var values = new float[entry.Count];
        Read(name, values);
        return values;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _handle.Dispose();

    private SafetensorsEntry Find(string name) => Tensors.TryGetValue(name, out var entry)
        ? entry
        : throw new DataFormatException($"{Path} has no tensor '{name}': it belongs to another architecture or another program.");

    private SafetensorsEntry Entry(string name, int room)
    {
        var entry = Find(name);
        return entry.Count == room
            ? entry
            : throw new ShapeException($"{Path}: tensor '{name}' has shape [{string.Join(", ", entry.Shape)}], that is {entry.Count} elements where {room} are wanted.");
    }

    private static void Verify(SafeFileHandle handle, string path, long start, long end, string wanted)
    {
        var buffer = new byte[1 << 20];
        uint state = Numerics.Crc32C.Start;
        for (long at = start; at < end;)
        {
            var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, end - at));
            ReadFully(handle, part, at, path);
            state = Numerics.Crc32C.Append(state, part);
            at += part.Length;
        }

        string got = Numerics.Crc32C.Hexadecimal(state);
        if (got != wanted)
        {
            throw SafetensorsHeader.Damaged(path, $"the checksum of its tensors is {got} where {wanted} was written");
        }
    }

    private static void ReadFully(SafeFileHandle handle, Span<byte> bytes, long offset, string path)
    {
        while (!bytes.IsEmpty)
        {
            int read = RandomAccess.Read(handle, bytes, offset);
            if (read == 0)
            {
                throw SafetensorsHeader.Damaged(path, "it ends inside a tensor");
            }

            bytes = bytes[read..];
            offset += read;
        }
    }
}
