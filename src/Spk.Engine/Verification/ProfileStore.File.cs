using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;
using Spk.Engine.Alignment;
using Spk.Engine.Models;
using Spk.Interop;

namespace Spk.Engine.Verification;

/// <content>
/// The file, safetensors: <c>embeddings</c> f32 [N, D], <c>recordings</c> i32 [N] and <c>ids</c>, the names in UTF-8 with a line feed after
/// each; in its metadata the format's version and the model's identity; a checksum over all.
/// </content>
public sealed partial class ProfileStore
{
    private const string FileFormat = "spk-profiles", FileVersion = "1", ModelKey = "model";

    /// <summary>Opens a file of profiles, or starts an empty store for it where it does not exist.</summary>
    /// <param name="path">The file.</param>
    /// <param name="modelIdentity">Identity of the model that shall use them.</param>
    /// <param name="embeddingSize">D of that model.</param>
    /// <returns>The store; <see cref="Save"/> writes it back.</returns>
    /// <exception cref="DataFormatException">The file is damaged, is no store of profiles, or was made by another model.</exception>
    public static ProfileStore Open(string path, string modelIdentity, int embeddingSize)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        var store = new ProfileStore(modelIdentity, embeddingSize) { Path = System.IO.Path.GetFullPath(path) };
        if (!System.IO.Path.Exists(path))
        {
            return store;
        }

        using var file = SafetensorsFile.Open(path);
        if (file.Metadata.GetValueOrDefault(ModelKeys.Format) != FileFormat)
        {
            throw new DataFormatException($"{path} is no store of profiles: name another file.");
        }

        if (file.Metadata.GetValueOrDefault(ModelKeys.FormatVersion) is var version && version != FileVersion)
        {
            throw new DataFormatException($"{path} is a store of profiles of version {version}, this library reads version {FileVersion}: use the library that wrote it.");
        }

        string maker = file.Metadata.GetValueOrDefault(ModelKey) ?? "";
        if (maker != modelIdentity)
        {
            throw new DataFormatException(
                $"{path} holds profiles of another model ({SpeakerVerifier.Short(maker)}, this is {SpeakerVerifier.Short(modelIdentity)}): scores between the two mean nothing; load that model, give an aligner of the two, or enrol the speakers again.");
        }

        store.ReadFrom(file);
        return store;
    }

    /// <summary>Replaces the file by the present profiles, all or nothing; equal profiles give equal bytes.</summary>
    /// <exception cref="InvalidOperationException">The store has no file.</exception>
    /// <exception cref="SpkException">The file cannot be written; the old one is untouched.</exception>
    public void Save()
    {
        string path = Path ?? throw new InvalidOperationException("A store in memory has no file: open it with one.");
        lock (_saving)
        {
            using var reading = Read();
            int[] order = [.. Enumerable.Range(0, _ids.Count)];
            Array.Sort(order, (a, b) => string.CompareOrdinal(_ids[a], _ids[b]));
            byte[] ids = Encoding.UTF8.GetBytes(string.Concat(order.Select(row => _ids[row] + "\n")));
            var content = new SafetensorsContent();
            content.Metadata[ModelKeys.Format] = FileFormat;
            content.Metadata[ModelKeys.FormatVersion] = FileVersion;
            content.Metadata[ModelKeys.Version] = ModelKeys.LibraryVersion;
            content.Metadata[ModelKey] = ModelIdentity;
            content.Add<byte>("ids", ids, ids.Length);
            content.Add<int>("recordings", order.Select(row => _recordings[row]).ToArray(), order.Length);
            content.Add("embeddings", SafetensorsType.F32, [order.Length, EmbeddingSize], stream =>
            {
                foreach (int row in order)
                {
                    stream.Write(MemoryMarshal.AsBytes(Row(row)));
                }
            });
            SafetensorsFile.Write(path, content);
        }
    }

    /// <summary>These profiles as an aligner compares them, in memory: a store of its space.</summary>
    internal ProfileStore Mapped(Aligner aligner)
    {
        using var reading = Read();
        var profiles = new Profile[_ids.Count];
        Parallel.For(0, profiles.Length, row => profiles[row] = new Profile(_ids[row], aligner.MapEnrolment(Row(row)), _recordings[row]));
        var mapped = new ProfileStore(aligner.Identity, aligner.SharedSize);
        foreach (var profile in profiles)
        {
            mapped.Put(profile);
        }

        return mapped;
    }

    /// <summary>Puts a profile and saves, where there is a file; on failure the profile is as before.</summary>
    internal void PutAndSave(Profile profile)
    {
        if (Path is null)
        {
            Put(profile);
            return;
        }

        lock (_saving)
        {
            var before = Find(profile.Id);
            Put(profile);
            try
            {
                Save();
            }
            catch
            {
                if (before is null)
                {
                    Remove(profile.Id);
                }
                else
                {
                    Put(before);
                }

                throw;
            }
        }
    }

    private void ReadFrom(SafetensorsFile file)
    {
        try
        {
            byte[] text = new byte[Lengths("ids", 1)[0]];
            file.ReadExact<byte>("ids", text);
            string[] ids = text.Length == 0 ? [] : new UTF8Encoding(false, throwOnInvalidBytes: true).GetString(text).TrimEnd('\n').Split('\n');
            var shape = Lengths("embeddings", 2);
            if (shape[0] != ids.Length || shape[1] != EmbeddingSize || Lengths("recordings", 1)[0] != ids.Length)
            {
                throw Damaged(string.Create(CultureInfo.InvariantCulture, $"it names {ids.Length} speakers and holds embeddings [{shape[0]}, {shape[1]}] of a model of size {EmbeddingSize}"));
            }

            int[] recordings = new int[ids.Length];
            file.ReadExact<int>("recordings", recordings);
            float[] embeddings = file.ReadSingle("embeddings");
            for (int row = 0; row < ids.Length; row++)
            {
                Put(new Profile(ids[row], embeddings.AsMemory(row * EmbeddingSize, EmbeddingSize), recordings[row]));
            }

            if (Count != ids.Length)
            {
                throw Damaged("a speaker occurs twice");
            }
        }
        catch (Exception error) when (error is InvalidOptionException or NonFiniteException or DecoderFallbackException)
        {
            throw Damaged(error.Message.TrimEnd('.'), error);
        }

        IReadOnlyList<int> Lengths(string name, int axes) =>
            file.Tensors.TryGetValue(name, out var entry) && entry.Shape.Count == axes
                ? [.. entry.Shape.Select(length => checked((int)length))]
                : throw Damaged($"it lacks the tensor '{name}' of {axes} axes");

        DataFormatException Damaged(string what, Exception? cause = null)
        {
            string message = $"{file.Path} is damaged: {what}; take it from a backup, or enrol the speakers again.";
            return cause is null ? new DataFormatException(message) : new DataFormatException(message, cause);
        }
    }
}
