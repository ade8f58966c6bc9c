using System.Buffers.Binary;
using System.Security.Cryptography;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Engine.Devices.Cuda;

/// <summary>
/// Compiled kernels kept on the disk between runs. A file appears whole or not at all, and is believed only if its length and
/// hash fit; anything else is a miss. A cache that cannot be written costs time, never a failure.
/// </summary>
/// <param name="folder">Where the files lie; made when needed.</param>
internal sealed class KernelCache(string folder)
{
    /// <summary>Environment variable that names the folder for everything this program caches.</summary>
    public const string OverrideVariable = "SPK_CACHE";

    private const string Format = "spk kernel cache 1";
    private const string Extension = ".kernel";
    private const int HashBytes = 32;
    private const int HeaderBytes = sizeof(long) + HashBytes;

    /// <summary>Where the files lie.</summary>
    public string Folder => folder;

    /// <summary>The cache of this user.</summary>
    public static KernelCache Default() => new(DefaultFolder());

    /// <summary>Names a binary by everything that it depends on.</summary>
    /// <param name="source">Source and headers.</param>
    /// <param name="options">The compiler's options, with the architecture, in order.</param>
    /// <param name="compiler">The compiler's version.</param>
    public static string Key(KernelSource source, IReadOnlyList<string> options, Version compiler)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        KernelSource.Append(hash, [Format, source.Hash(), compiler.ToString(), .. options]);
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>The binary kept under a key, or null where there is none that is whole.</summary>
    /// <param name="key">From <see cref="Key"/>.</param>
    public ReadOnlyMemory<byte>? TryRead(string key)
    {
        try
        {
            byte[] file = File.ReadAllBytes(PathOf(key));
            bool whole = file.Length > HeaderBytes
                && BinaryPrimitives.ReadInt64LittleEndian(file) == file.Length - HeaderBytes
                && SHA256.HashData(file.AsSpan(HeaderBytes)).AsSpan().SequenceEqual(file.AsSpan(sizeof(long), HashBytes));
            return whole ? new ReadOnlyMemory<byte>(file, HeaderBytes, file.Length - HeaderBytes) : default(ReadOnlyMemory<byte>?);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>Keeps a binary.</summary>
    /// <param name="key">From <see cref="Key"/>.</param>
    /// <param name="image">The binary.</param>
    /// <returns>Whether it could be written.</returns>
    public bool TryWrite(string key, ReadOnlyMemory<byte> image)
    {
        try
        {
            AtomicFile.Write(PathOf(key), stream =>
            {
                Span<byte> length = stackalloc byte[sizeof(long)];
                BinaryPrimitives.WriteInt64LittleEndian(length, image.Length);
                stream.Write(length);
                stream.Write(SHA256.HashData(image.Span));
                stream.Write(image.Span);
            });
            return true;
        }
        catch (SpkException)
        {
            return false;
        }
    }

    /// <summary>How many binaries are kept and how large they are.</summary>
    public (int Files, long Bytes) Usage()
    {
        try
        {
            var files = new DirectoryInfo(folder).EnumerateFiles("*" + Extension).ToArray();
            return (files.Length, files.Sum(file => file.Length));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return (0, 0);
        }
    }

    internal string PathOf(string key) => Path.Combine(folder, key + Extension);

    private static string DefaultFolder()
    {
        if (Environment.GetEnvironmentVariable(OverrideVariable) is { Length: > 0 } chosen)
        {
            return Path.Combine(chosen, "kernels");
        }

        // A relative XDG_CACHE_HOME is to be ignored, says its specification.
        string? user = Environment.GetEnvironmentVariable("XDG_CACHE_HOME");
        if (OperatingSystem.IsWindows())
        {
            user = Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData);
        }
        else if (!Path.IsPathRooted(user))
        {
            user = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache");
        }

        // A user without a home folder still gets a cache, for as long as the machine keeps temporary files.
        return Path.IsPathRooted(user) ? Path.Combine(user, "spk", "kernels") : Path.Combine(Path.GetTempPath(), $"spk-{Environment.UserName}", "kernels");
    }
}
