using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Spk.Engine.Devices.Cuda;

/// <summary>The kernels' sources, which travel in this assembly as resources named like the files under engine/kernels.</summary>
internal static partial class KernelSources
{
    private const string Prefix = "kernels/";

    /// <summary>All kernel files without extension, such as "encoder/batch_norm", in alphabetical order.</summary>
    public static IReadOnlyList<string> Files { get; } = [.. typeof(KernelSources).Assembly.GetManifestResourceNames()
        .Where(name => name.StartsWith(Prefix, StringComparison.Ordinal) && name.EndsWith(".cu", StringComparison.Ordinal))
        .Select(name => name[Prefix.Length..^".cu".Length])
        .Order(StringComparer.Ordinal)];

    /// <summary>A kernel file with every header that it includes, directly or not.</summary>
    /// <param name="file">Its name without extension.</param>
    /// <exception cref="ArgumentException">There is no such file.</exception>
    public static KernelSource Get(string file) => WithHeaders(
        file + ".cu", Text(file + ".cu") ?? throw new ArgumentException($"There is no kernel file {file}.cu in this build.", nameof(file)));

    /// <summary>A source given as text, with the project's headers that it includes.</summary>
    /// <param name="name">What to call it.</param>
    /// <param name="text">Its text.</param>
    public static KernelSource WithHeaders(string name, string text)
    {
        var headers = new SortedDictionary<string, string>(StringComparer.Ordinal);
        AddHeaders(text, headers);
        return new KernelSource(name, text, headers);
    }

    /// <summary>A resource of this assembly, or null.</summary>
    /// <param name="name">Its name after "kernels/".</param>
    public static byte[]? Bytes(string name)
    {
        using var stream = typeof(KernelSources).Assembly.GetManifestResourceStream(Prefix + name);
        if (stream is null)
        {
            return null;
        }

        byte[] bytes = new byte[stream.Length];
        stream.ReadExactly(bytes);
        return bytes;
    }

    private static string? Text(string name) => Bytes(name) is { } bytes ? Encoding.UTF8.GetString(bytes) : null;

    // A header that is not among the resources belongs to the emulator and is never reached by a device compiler.
    private static void AddHeaders(string text, SortedDictionary<string, string> headers)
    {
        foreach (Match include in Include().Matches(text))
        {
            string name = include.Groups[1].Value;
            if (!headers.ContainsKey(name) && Text(name) is { } header)
            {
                headers.Add(name, header);
                AddHeaders(header, headers);
            }
        }
    }

    [GeneratedRegex("""^\s*#\s*include\s+"([^"]+)" *""", RegexOptions.Multiline)]
    private static partial Regex Include();
}

/// <summary>One source and the headers it needs.</summary>
/// <param name="Name">Such as "encoder/batch_norm.cu".</param>
/// <param name="Text">Its text.</param>
/// <param name="Headers">Headers' texts by the names they are included by.</param>
internal sealed record KernelSource(string Name, string Text, IReadOnlyDictionary<string, string> Headers)
{
    /// <summary>SHA-256 over everything the compiler reads: two sources with the same hash compile to the same binary.</summary>
    public string Hash()
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, Name, Text);
        foreach (var (name, text) in Headers.OrderBy(header => header.Key, StringComparer.Ordinal))
        {
            Append(hash, name, text);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>Appends texts so that no two lists of texts give the same bytes.</summary>
    public static void Append(IncrementalHash hash, params ReadOnlySpan<string> texts)
    {
        foreach (string text in texts)
        {
            byte[] bytes = Encoding.UTF8.GetBytes(text);
            hash.AppendData(BitConverter.GetBytes((long)bytes.Length));
            hash.AppendData(bytes);
        }
    }
}
