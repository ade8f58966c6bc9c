using System.Buffers.Binary;
using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Spk.Interop;

namespace Spk.Engine.Models;

/// <summary>
/// Kaldi archives of vectors: binary (<c>id \0BFV</c> …) with a script file of byte offsets, or text (<c>id  [ 1 2 3 ]</c>).
/// </summary>
public static class KaldiArk
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Writes an archive of f32 vectors, all or nothing.</summary>
    /// <param name="arkPath">The archive.</param>
    /// <param name="scpPath">
    /// The script file (<c>id archive:offset</c> a line), or null for none; it names the archive as <paramref name="arkPath"/> does.
    /// </param>
    /// <param name="ids">Ids without white space.</param>
    /// <param name="values">Row-major [N, D].</param>
    /// <param name="dimension">D, above 0.</param>
    /// <param name="text">Writes numbers as text, for reading and for other programs; larger and slower.</param>
    /// <exception cref="DataFormatException">An id is empty or holds white space.</exception>
    /// <exception cref="ShapeException">The number of values is not N · D.</exception>
    /// <exception cref="SpkException">A file cannot be written.</exception>
    public static void Write(string arkPath, string? scpPath, IReadOnlyList<string> ids, ReadOnlyMemory<float> values, int dimension, bool text = false)
    {
        ArgumentNullException.ThrowIfNull(ids);
        if (dimension < 1 || (long)ids.Count * dimension != values.Length)
        {
            throw new ShapeException($"{ids.Count} vectors of size {dimension} need {(long)ids.Count * dimension} values, but {values.Length} are given.");
        }

        foreach (string id in ids)
        {
            if (id.Length == 0 || id.Any(char.IsWhiteSpace))
            {
                throw new DataFormatException($"the id '{id}' cannot go into {arkPath}: a Kaldi id is not empty and holds no white space.");
            }
        }

        var script = new List<string>(ids.Count);
        AtomicFile.Write(arkPath, stream =>
        {
            long position = 0;
            for (int i = 0; i < ids.Count; i++)
            {
                var vector = values.Span.Slice(i * dimension, dimension);
                byte[] id = Utf8.GetBytes(ids[i] + " ");
                script.Add(string.Create(CultureInfo.InvariantCulture, $"{ids[i]} {arkPath}:{position + id.Length}"));
                stream.Write(id);
                position += id.Length + (text ? WriteText(stream, vector) : WriteBinary(stream, vector));
            }
        });
        if (scpPath is not null)
        {
            AtomicFile.WriteLines(scpPath, script);
        }
    }

    /// <summary>Reads all vectors of an archive (binary f32 or f64, or text) or of a script file (name ending in .scp).</summary>
    /// <param name="path">The file. Relative archives in a script are looked for from the working folder, then beside the script.</param>
    /// <returns>Ids, row-major f32 values and their common size.</returns>
    /// <exception cref="DataFormatException">The file is missing, truncated, holds something else, or sizes differ.</exception>
    public static (IReadOnlyList<string> Ids, float[] Values, int Dimension) Read(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        var ids = new List<string>();
        var values = new List<float>();
        int dimension = 0;
        if (Path.GetExtension(path) == ".scp")
        {
            ReadScript(path, ids, values, ref dimension);
        }
        else
        {
            byte[] bytes = ReadAll(path);
            for (int at = 0; SkipBlank(bytes, ref at);)
            {
                int space = bytes.AsSpan(at).IndexOf((byte)' ');
                if (space <= 0)
                {
                    throw Damaged(path, at, "no vector follows the id");
                }

                ids.Add(Encoding.UTF8.GetString(bytes, at, space));
                at += space + 1;
                ReadVector(path, bytes, ref at, ids[^1], values, ref dimension);
            }
        }

        return ids.Count > 0
            ? (ids, [.. values], dimension)
            : throw new DataFormatException($"{path} holds no vectors: check that it is the archive you mean.");
    }

    private static void ReadScript(string path, List<string> ids, List<float> values, ref int dimension)
    {
        var archives = new Dictionary<string, byte[]>(StringComparer.Ordinal);
        int number = 0;
        foreach (string line in Encoding.UTF8.GetString(ReadAll(path)).Split('\n'))
        {
            number++;
            if (string.IsNullOrWhiteSpace(line))
            {
                continue;
            }

            string[] parts = line.Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            int colon = parts.Length == 2 ? parts[1].LastIndexOf(':') : -1;
            if (colon <= 0 || !int.TryParse(parts[1].AsSpan(colon + 1), NumberStyles.None, CultureInfo.InvariantCulture, out int offset))
            {
                throw new DataFormatException($"{path}, line {number}: expected 'id archive:offset'.");
            }

            string archive = parts[1][..colon];
            if (!archives.TryGetValue(archive, out byte[]? bytes))
            {
                string beside = Path.Combine(Path.GetDirectoryName(path) ?? "", Path.GetFileName(archive));
                archives[archive] = bytes = ReadAll(File.Exists(archive) ? archive : beside);
            }

            ids.Add(parts[0]);
            ReadVector(archive, bytes, ref offset, parts[0], values, ref dimension);
        }
    }

    private static void ReadVector(string path, byte[] bytes, ref int at, string id, List<float> values, ref int dimension)
    {
        int before = values.Count;
        if (at + 2 <= bytes.Length && bytes[at] == 0 && bytes[at + 1] == 'B')
        {
            ReadBinary(path, bytes, ref at, values);
        }
        else
        {
            ReadText(path, bytes, ref at, values);
        }

        int length = values.Count - before;
        dimension = dimension == 0 ? length : dimension;
        if (length != dimension || length == 0)
        {
            throw new DataFormatException($"{path}: the vector of '{id}' has {length} elements where {Math.Max(dimension, 1)} are expected.");
        }
    }

    private static void ReadBinary(string path, byte[] bytes, ref int at, List<float> values)
    {
        var rest = bytes.AsSpan(at + 2);
        int size = rest.StartsWith("FV "u8) ? sizeof(float) : rest.StartsWith("DV "u8) ? sizeof(double) : 0;
        if (size == 0 || rest.Length < 8 || rest[3] != 4)
        {
            throw Damaged(path, at, "a binary entry is not a vector of f32 (FV) or f64 (DV)");
        }

        int length = BinaryPrimitives.ReadInt32LittleEndian(rest[4..]);
        if (length < 0 || (long)length * size > rest.Length - 8)
        {
            throw Damaged(path, at, $"a vector of {length} elements does not fit into the {rest.Length - 8} bytes that follow");
        }

        for (int i = 0; i < length; i++)
        {
            var element = rest[(8 + (i * size))..];
            values.Add(size == sizeof(float) ? BinaryPrimitives.ReadSingleLittleEndian(element) : (float)BinaryPrimitives.ReadDoubleLittleEndian(element));
        }

        at += 10 + (length * size);
    }

    private static void ReadText(string path, byte[] bytes, ref int at, List<float> values)
    {
        int open = at;
        int close = bytes.AsSpan(at).IndexOf((byte)']');
        SkipBlank(bytes, ref open);
        if (close < 0 || open >= bytes.Length || bytes[open] != '[')
        {
            throw Damaged(path, at, "a text vector is not enclosed in [ ]");
        }

        string inside = Encoding.UTF8.GetString(bytes, open + 1, at + close - open - 1);
        foreach (string number in inside.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))
        {
            if (!float.TryParse(number, NumberStyles.Float, CultureInfo.InvariantCulture, out float value))
            {
                throw Damaged(path, at, $"'{number}' is not a number");
            }

            values.Add(value);
        }

        at += close + 1;
    }

    private static int WriteBinary(Stream stream, ReadOnlySpan<float> vector)
    {
        Span<byte> head = [0, (byte)'B', (byte)'F', (byte)'V', (byte)' ', 4, 0, 0, 0, 0];
        BinaryPrimitives.WriteInt32LittleEndian(head[6..], vector.Length);
        stream.Write(head);
        stream.Write(MemoryMarshal.AsBytes(vector));
        return head.Length + (vector.Length * sizeof(float));
    }

    private static int WriteText(Stream stream, ReadOnlySpan<float> vector)
    {
        var line = new StringBuilder(" [ ");
        foreach (float value in vector)
        {
            line.Append(CultureInfo.InvariantCulture, $"{value:R} ");
        }

        byte[] bytes = Utf8.GetBytes(line.Append("]\n").ToString());
        stream.Write(bytes);
        return bytes.Length;
    }

    private static bool SkipBlank(byte[] bytes, ref int at)
    {
        while (at < bytes.Length && bytes[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')
        {
            at++;
        }

        return at < bytes.Length;
    }

    private static byte[] ReadAll(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception error) when (error is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"cannot read {path}: {error.Message}", error);
        }
    }

    private static DataFormatException Damaged(string path, int at, string what) =>
        new($"{path} is damaged at byte {at}: {what}; write the archive again.");
}
