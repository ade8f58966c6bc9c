using System.Text.Json;
using Spk.Interop;

namespace Spk.Engine.Models;

/// <summary>The JSON header of a safetensors file, checked so that every tensor can be read without further doubt.</summary>
internal sealed record SafetensorsHeader(IReadOnlyDictionary<string, string> Metadata, IReadOnlyDictionary<string, SafetensorsEntry> Tensors)
{
    /// <summary>The format's own limit, which keeps a damaged length from asking for all memory.</summary>
    public const int MaximumBytes = 100_000_000;

    /// <summary>Parses a header.</summary>
    /// <param name="path">For messages.</param>
    /// <param name="json">The header's bytes.</param>
    /// <param name="dataLength">Bytes that follow the header.</param>
    public static SafetensorsHeader Parse(string path, ReadOnlyMemory<byte> json, long dataLength)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw Damaged(path, "its header is not a JSON object");
            }

            var metadata = new Dictionary<string, string>(StringComparer.Ordinal);
            var tensors = new Dictionary<string, SafetensorsEntry>(StringComparer.Ordinal);
            foreach (var property in document.RootElement.EnumerateObject())
            {
                if (property.Name == SafetensorsFile.MetadataKey)
                {
                    ReadMetadata(path, property.Value, metadata);
                }
                else if (!tensors.TryAdd(property.Name, ReadEntry(path, property, dataLength)))
                {
                    throw Damaged(path, $"tensor '{property.Name}' occurs twice");
                }
            }

            CheckCover(path, tensors.Values, dataLength);
            return new SafetensorsHeader(metadata, tensors);
        }
        catch (JsonException error)
        {
            throw new DataFormatException(Text(path, "its header is not valid JSON"), error);
        }
    }

    public static DataFormatException Damaged(string path, string what) => new(Text(path, what));

    private static string Text(string path, string what) =>
        $"{path} is damaged: {what}; take it from a backup, or make it again.";

    private static void ReadMetadata(string path, JsonElement value, Dictionary<string, string> metadata)
    {
        if (value.ValueKind != JsonValueKind.Object)
        {
            throw Damaged(path, "its metadata is not a map of text");
        }

        foreach (var pair in value.EnumerateObject())
        {
            metadata[pair.Name] = pair.Value.ValueKind == JsonValueKind.String
                ? pair.Value.GetString()!
                : throw Damaged(path, $"the metadata '{pair.Name}' is not text");
        }
    }

    private static SafetensorsEntry ReadEntry(string path, JsonProperty property, long dataLength)
    {
        string name = property.Name;
        var value = property.Value;
        if (value.ValueKind != JsonValueKind.Object
            || !value.TryGetProperty("dtype", out var dtype) || dtype.ValueKind != JsonValueKind.String
            || !value.TryGetProperty("shape", out var shape) || shape.ValueKind != JsonValueKind.Array
            || !value.TryGetProperty("data_offsets", out var offsets) || offsets.ValueKind != JsonValueKind.Array || offsets.GetArrayLength() != 2)
        {
            throw Damaged(path, $"tensor '{name}' lacks a dtype, a shape or its two data_offsets");
        }

        if (!TryType(dtype.GetString()!, out var type))
        {
            throw new DataFormatException($"{path}: tensor '{name}' has elements of type '{dtype.GetString()}', which cannot be read here: save it as F32.");
        }

        var lengths = new long[shape.GetArrayLength()];
        long bytes = SafetensorsEntry.SizeOf(type);
        for (int axis = 0; axis < lengths.Length; axis++)
        {
            if (!TryWhole(shape[axis], out lengths[axis]) || (lengths[axis] > 0 && bytes > long.MaxValue / lengths[axis]))
            {
                throw Damaged(path, $"tensor '{name}' has the shape {shape.GetRawText()}");
            }

            bytes *= lengths[axis];
        }

        if (!TryWhole(offsets[0], out long begin) || !TryWhole(offsets[1], out long end) || begin > end || end - begin != bytes)
        {
            throw Damaged(path, $"tensor '{name}' of shape {shape.GetRawText()} and type {type} needs {bytes} bytes but has the offsets {offsets.GetRawText()}");
        }

        return end <= dataLength
            ? new SafetensorsEntry(name, type, lengths, begin, bytes)
            : throw Damaged(path, $"tensor '{name}' ends at byte {end} of {dataLength}, so the file is truncated");
    }

    /// <summary>The format wants tensors side by side from the first byte to the last: no overlap, no gap, no rest.</summary>
    private static void CheckCover(string path, IEnumerable<SafetensorsEntry> entries, long dataLength)
    {
        long at = 0;
        foreach (var entry in entries.OrderBy(e => e.Offset).ThenBy(e => e.ByteCount))
        {
            if (entry.Offset != at)
            {
                throw Damaged(path, $"tensor '{entry.Name}' starts at byte {entry.Offset} where byte {at} is next ({(entry.Offset < at ? "an overlap" : "a gap")})");
            }

            at += entry.ByteCount;
        }

        if (at != dataLength)
        {
            throw Damaged(path, $"{dataLength - at} bytes follow the last tensor");
        }
    }

    private static bool TryType(string text, out SafetensorsType type)
    {
        // Enum.TryParse would take numbers and other cases, too.
        foreach (var candidate in Enum.GetValues<SafetensorsType>())
        {
            if (candidate.ToString() == text)
            {
                type = candidate;
                return true;
            }
        }

        type = default;
        return false;
    }

    private static bool TryWhole(JsonElement value, out long number)
    {
        number = 0;
        return value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out number) && number >= 0;
    }
}
