using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Spk.Interop;

namespace Spk.Engine.Models;

/// <summary>An array read from a .npy file (NumPy format version 1 to 3, C order, little endian).</summary>
/// <param name="Shape">Lengths of the axes; empty for a scalar.</param>
/// <param name="Values">Elements as f64, which holds every supported type exactly except 64-bit integers above 2^53.</param>
public sealed record NpyArray(IReadOnlyList<int> Shape, double[] Values)
{
    /// <summary>The elements rounded to f32.</summary>
    public float[] ToSingle() => Array.ConvertAll(Values, v => (float)v);

    /// <summary>The elements as integers.</summary>
    public int[] ToInt32() => Array.ConvertAll(Values, v => checked((int)v));
}

/// <summary>Reads and writes .npy files.</summary>
public static partial class NpyFile
{
    // Of a span of bytes, which cannot hold all elements of a large array.
    private const int ElementsAtOnce = 1 << 24;
    private const long LargestHeader = 1 << 20;

    private static readonly byte[] Magic = [0x93, (byte)'N', (byte)'U', (byte)'M', (byte)'P', (byte)'Y'];

    /// <summary>Reads a numeric array.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Shape and elements.</returns>
    /// <exception cref="DataFormatException">The file is not a C-order little-endian array of f32, f64, i8 to i64 or bool.</exception>
    public static NpyArray Read(string path)
    {
        byte[] bytes = ReadAll(path);
        var (type, shape, start) = Header(path, bytes);
        return new NpyArray(shape, Decode(path, type, bytes.AsSpan(start), Count(shape)));
    }

    /// <summary>Reads a numeric array as f32, without the detour over f64 where it is stored as f32.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Lengths of the axes and row-major elements.</returns>
    /// <exception cref="DataFormatException">As <see cref="Read"/>.</exception>
    public static (IReadOnlyList<int> Shape, float[] Values) ReadSingle(string path)
    {
        var shape = ReadSingle(path, _ => null, out float[] values);
        return (shape, values);
    }

    /// <summary>Reads some rows of an array as f32; where it is stored as f32, the others are not even read.</summary>
    /// <param name="path">The file.</param>
    /// <param name="choose">Gets the number of rows (the length of the first axis), and says which is the first to read, and how many.</param>
    /// <returns>Lengths of the axes of the whole array, and row-major elements of these rows.</returns>
    /// <exception cref="DataFormatException">As <see cref="Read"/>, or the array has no axes.</exception>
    public static (IReadOnlyList<int> Shape, float[] Values) ReadRows(string path, Func<int, (int First, int Count)> choose)
    {
        ArgumentNullException.ThrowIfNull(choose);
        var shape = ReadSingle(path, shape => shape.Count > 0 ? choose(shape[0]) : throw new DataFormatException($"{path} holds a single number: rows are needed."), out float[] values);
        return (shape, values);
    }

    private static IReadOnlyList<int> ReadSingle(string path, Func<IReadOnlyList<int>, (int First, int Count)?> choose, out float[] values)
    {
        try
        {
            using var file = File.OpenRead(path);
            var (type, shape, start) = file.CanSeek ? Header(path, ReadHeader(file)) : ("", Array.Empty<int>(), 0);
            long count = Count(shape);
            if (type == "<f4" && file.Length - start >= count * sizeof(float))
            {
                var (first, some) = Part(shape, choose(shape));
                if (some <= Array.MaxLength)
                {
                    values = new float[some];
                    file.Position = start + (first * sizeof(float));
                    for (int at = 0; at < values.Length; at += ElementsAtOnce)
                    {
                        file.ReadExactly(MemoryMarshal.AsBytes(values.AsSpan(at, Math.Min(ElementsAtOnce, values.Length - at))));
                    }

                    return shape;
                }
            }
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, error);
        }

        var array = Read(path);
        var (from, length) = Part([.. array.Shape], choose(array.Shape));
        values = array.ToSingle().AsSpan((int)from, (int)length).ToArray();
        return array.Shape;
    }

    // Elements of some rows; of all where none are named.
    private static (long First, long Count) Part(int[] shape, (int First, int Count)? rows)
    {
        long count = Count(shape), each = shape.Length == 0 || shape[0] == 0 ? count : count / shape[0];
        return rows is { } part ? (part.First * each, part.Count * each) : (0, count);
    }

    /// <summary>Writes a matrix of f32 as a version 1 file, all or nothing (<see cref="AtomicFile"/>).</summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <param name="values">Row-major elements.</param>
    /// <param name="shape">Lengths of the axes; their product is the number of elements.</param>
    /// <exception cref="SpkException">The file cannot be written; an older one is untouched.</exception>
    public static void Write(string path, ReadOnlySpan<float> values, params ReadOnlySpan<int> shape) =>
        Write(path, "<f4", MemoryMarshal.AsBytes(values), shape);

    /// <summary>Writes an array of i32 as a version 1 file, all or nothing (<see cref="AtomicFile"/>).</summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <param name="values">Row-major elements.</param>
    /// <param name="shape">Lengths of the axes; their product is the number of elements.</param>
    /// <exception cref="SpkException">The file cannot be written; an older one is untouched.</exception>
    public static void Write(string path, ReadOnlySpan<int> values, params ReadOnlySpan<int> shape) =>
        Write(path, "<i4", MemoryMarshal.AsBytes(values), shape);

    private static void Write(string path, string type, ReadOnlySpan<byte> values, ReadOnlySpan<int> shape)
    {
        using var file = AtomicFile.Create(path);
        try
        {
            WriteHeader(file.Stream, type, shape);
            file.Stream.Write(values);
        }
        catch (IOException error)
        {
            throw file.Failure(error);
        }

        file.Commit();
    }

    private static byte[] ReadAll(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw Unreadable(path, error);
        }
    }

    // Everything ahead of the elements, or as much of it as there is.
    private static byte[] ReadHeader(FileStream file)
    {
        Span<byte> first = stackalloc byte[12];
        first = first[..file.ReadAtLeast(first, first.Length, throwOnEndOfStream: false)];
        long length = first.Length < 12 ? first.Length
            : first[6] == 1 ? 10 + BinaryPrimitives.ReadUInt16LittleEndian(first[8..]) : 12L + BinaryPrimitives.ReadUInt32LittleEndian(first[8..]);
        byte[] header = new byte[Math.Min(Math.Min(length, LargestHeader), file.Length)];
        file.Position = 0;
        file.ReadExactly(header);
        return header;
    }

    private static DataFormatException Unreadable(string path, Exception error) => new($"cannot read {path}: {error.Message}", error);

    private static (string Type, int[] Shape, int DataStart) Header(string path, byte[] bytes)
    {
        if (bytes.Length < 10 || !bytes.AsSpan(0, 6).SequenceEqual(Magic))
        {
            throw new DataFormatException($"{path} is not a .npy file: its first bytes are not the NumPy magic.");
        }

        int start = bytes[6] == 1 ? 10 : 12;
        long headerLength = bytes[6] == 1
            ? BinaryPrimitives.ReadUInt16LittleEndian(bytes.AsSpan(8))
            : bytes.Length < 12 ? -1 : BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(8));
        if (headerLength < 0 || start + headerLength > bytes.Length)
        {
            throw new DataFormatException($"{path} ends inside its header: the file is truncated.");
        }

        string header = Encoding.Latin1.GetString(bytes, start, (int)headerLength);
        string type = TypePattern().Match(header).Groups[1].Value;
        if (header.Contains("'fortran_order': True", StringComparison.Ordinal))
        {
            throw new DataFormatException($"{path} is in Fortran order: save it in C order (numpy.ascontiguousarray).");
        }

        string[] lengths = ShapePattern().Match(header).Groups[1].Value
            .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        var shape = new int[lengths.Length];
        for (int i = 0; i < shape.Length; i++)
        {
            if (!int.TryParse(lengths[i], NumberStyles.None, CultureInfo.InvariantCulture, out shape[i]))
            {
                throw new DataFormatException($"{path} has an axis of length '{lengths[i]}': lengths are whole numbers below 2^31.");
            }
        }

        return (type, shape, start + (int)headerLength);
    }

    private static long Count(int[] shape)
    {
        long count = 1;
        foreach (int length in shape)
        {
            count = checked(count * length);
        }

        return count;
    }

    private static void WriteHeader(Stream stream, string type, ReadOnlySpan<int> shape)
    {
        var text = new StringBuilder($"{{'descr': '{type}', 'fortran_order': False, 'shape': (");
        foreach (int length in shape)
        {
            text.Append(CultureInfo.InvariantCulture, $"{length}, ");
        }

        text.Append("), }");
        int padded = (10 + text.Length + 1 + 63) / 64 * 64;
        text.Append(' ', padded - 10 - text.Length - 1).Append('\n');
        stream.Write(Magic);
        stream.Write([1, 0, (byte)(text.Length & 255), (byte)(text.Length >> 8)]);
        stream.Write(Encoding.Latin1.GetBytes(text.ToString()));
    }

    private static double[] Decode(string path, string type, ReadOnlySpan<byte> data, long count)
    {
        int size = type switch
        {
            "<f8" or "<i8" => 8,
            "<f4" or "<i4" or "<u4" => 4,
            "<i2" or "<u2" => 2,
            "|i1" or "|u1" or "|b1" => 1,
            _ => throw new DataFormatException($"{path} holds elements of type '{type}': convert it to float32 or int32."),
        };
        if (data.Length < count * size)
        {
            throw new DataFormatException($"{path} holds {data.Length} bytes where its header promises {count * size}: the file is truncated.");
        }

        var values = new double[count];
        for (int i = 0; i < values.Length; i++)
        {
            var at = data[(i * size)..];
            values[i] = type switch
            {
                "<f8" => BinaryPrimitives.ReadDoubleLittleEndian(at),
                "<f4" => BinaryPrimitives.ReadSingleLittleEndian(at),
                "<i8" => BinaryPrimitives.ReadInt64LittleEndian(at),
                "<i4" => BinaryPrimitives.ReadInt32LittleEndian(at),
                "<u4" => BinaryPrimitives.ReadUInt32LittleEndian(at),
                "<i2" => BinaryPrimitives.ReadInt16LittleEndian(at),
                "<u2" => BinaryPrimitives.ReadUInt16LittleEndian(at),
                "|i1" => (sbyte)at[0],
                _ => at[0],
            };
        }

        return values;
    }

    [GeneratedRegex(@"'descr':\s*'([^']*)'")]
    private static partial Regex TypePattern();

    [GeneratedRegex(@"'shape':\s*\(([^)]*)\)")]
    private static partial Regex ShapePattern();
}
