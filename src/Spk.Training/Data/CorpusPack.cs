using System.Buffers.Binary;
using System.IO.MemoryMappedFiles;
using System.Runtime.InteropServices;
using System.Text;
using Spk.Engine.Models;
using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>
/// A corpus in one file that is mapped into memory: header, samples (16-bit little-endian mono, each utterance at a multiple
/// of 64 bytes), index. Header, index and every utterance carry a CRC-32C.
/// </summary>
/// <remarks>
/// Header, 64 bytes: magic "SPKPACK\n", u32 version, u32 sample rate, u64 index position, u64 index bytes, u32 index checksum,
/// u32 number of utterances, zeros, and in the last 4 bytes the checksum of the 60 before. Index, per utterance: i64 position, i32
/// samples, u32 checksum, then id, speaker and session, each as a length-prefixed UTF-8 string (speaker and session: a byte 0 or 1
/// says first whether there is one).
/// </remarks>
public static unsafe class CorpusPack
{
    private const uint Version = 1;
    private const int HeaderBytes = 64;
    private const int Alignment = 64;
    private const int DecodeAtOnce = 256;

    private static ReadOnlySpan<byte> Magic => "SPKPACK\n"u8;

    /// <summary>Decodes all files of a manifest and writes them as one pack, atomically: the file appears when it is complete.</summary>
    /// <param name="path">The pack; replaced if it exists.</param>
    /// <param name="manifest">What to pack.</param>
    /// <param name="options">Rate and channels; null for 16 kHz mono without resampling.</param>
    /// <param name="progress">Told about every 64 files.</param>
    /// <param name="cancellation">Ends the work early and leaves no file behind.</param>
    /// <exception cref="DataFormatException">Some file cannot be used; nothing is left behind.</exception>
    /// <exception cref="SpkException">The pack cannot be written, for instance because the disk is full; nothing is left behind.</exception>
    public static void Write(
        string path, Manifest manifest, CorpusOptions? options = null, IProgress<DataProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentNullException.ThrowIfNull(manifest);
        options ??= new CorpusOptions();
        options.Validate();
        AtomicFile.Write(path, stream => WriteTo(stream, manifest, options, progress, cancellation));
    }

    /// <summary>Whether a file begins like a pack.</summary>
    /// <param name="path">Any path.</param>
    public static bool IsPack(string path)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        Span<byte> start = stackalloc byte[8];
        using var stream = File.OpenRead(path);
        return stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false) == start.Length && start.SequenceEqual(Magic);
    }

    /// <summary>Reads the whole pack and compares every checksum.</summary>
    /// <param name="path">The pack.</param>
    /// <param name="progress">Told about every 64 utterances.</param>
    /// <param name="cancellation">Ends the check early.</param>
    /// <returns>Ids of the utterances whose samples are damaged; empty for a sound pack.</returns>
    /// <exception cref="DataFormatException">Header or index are damaged.</exception>
    public static IReadOnlyList<string> Verify(string path, IProgress<DataProgress>? progress = null, CancellationToken cancellation = default)
    {
        using var corpus = Open(path, out uint[] checksums);
        var damaged = new bool[corpus.Count];
        int done = 0;
        Parallel.For(0, corpus.Count, new ParallelOptions { CancellationToken = cancellation }, i =>
        {
            damaged[i] = Crc32C.Compute(MemoryMarshal.AsBytes(corpus.Utterance(i))) != checksums[i];
            Corpus.Report(progress, Interlocked.Increment(ref done), damaged.Length);
        });
        return [.. corpus.Utterances.Where((_, i) => damaged[i]).Select(u => u.Id)];
    }

    internal static Corpus Open(string path) => Open(path, out _);

    private static Corpus Open(string path, out uint[] checksums)
    {
        Mapping? mapping = null;
        try
        {
            mapping = Mapping.Open(path);
            return Read(mapping, path, out checksums);
        }
        catch (Exception e)
        {
            mapping?.Dispose();
            if (e is FileNotFoundException or DirectoryNotFoundException)
            {
                throw new DataFormatException($"The pack {path} does not exist: make it with `spk data pack`.", e);
            }

            if (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                throw new DataFormatException($"The pack {path} cannot be opened: {e.Message}", e);
            }

            throw;
        }
    }

    private static Corpus Read(Mapping mapping, string path, out uint[] checksums)
    {
        if (mapping.Length < HeaderBytes)
        {
            throw new DataFormatException($"{path} is no pack: it has only {mapping.Length} bytes.");
        }

        var header = new ReadOnlySpan<byte>(mapping.Data, HeaderBytes);
        if (!header.StartsWith(Magic))
        {
            throw new DataFormatException($"{path} is no pack: it does not begin with SPKPACK; make one with `spk data pack`.");
        }

        uint version = BinaryPrimitives.ReadUInt32LittleEndian(header[8..]);
        if (version != Version)
        {
            throw new DataFormatException($"{path} is a pack of version {version}, this program reads version {Version}: pack the corpus again.");
        }

        int rate = BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
        long indexAt = BinaryPrimitives.ReadInt64LittleEndian(header[16..]);
        long indexBytes = BinaryPrimitives.ReadInt64LittleEndian(header[24..]);
        int count = BinaryPrimitives.ReadInt32LittleEndian(header[36..]);
        if (BinaryPrimitives.ReadUInt32LittleEndian(header[60..]) != Crc32C.Compute(header[..60]))
        {
            throw new DataFormatException($"The header of {path} is damaged (checksum): pack the corpus again.");
        }

        if (indexAt < HeaderBytes || indexBytes < 0 || indexBytes > int.MaxValue || indexAt > mapping.Length - indexBytes)
        {
            throw new DataFormatException($"{path} is truncated: it has {mapping.Length} bytes where {indexAt + indexBytes} are needed; copy it or pack the corpus again.");
        }

        if (BinaryPrimitives.ReadUInt32LittleEndian(header[32..]) != Crc32C.Compute(new ReadOnlySpan<byte>(mapping.Data + indexAt, (int)indexBytes)))
        {
            throw new DataFormatException($"The index of {path} is damaged (checksum): pack the corpus again.");
        }

        return ReadIndex(mapping, path, rate, count, indexAt, indexBytes, out checksums);
    }

    private static Corpus ReadIndex(Mapping mapping, string path, int rate, int count, long indexAt, long indexBytes, out uint[] checksums)
    {
        using var reader = new BinaryReader(new UnmanagedMemoryStream(mapping.Data + indexAt, indexBytes), Encoding.UTF8);
        var utterances = new Utterance[count];
        var addresses = new nint[count];
        var lengths = new int[count];
        checksums = new uint[count];
        string full = Path.GetFullPath(path);
        for (int i = 0; i < count; i++)
        {
            long position = reader.ReadInt64();
            int samples = reader.ReadInt32();
            if (position < HeaderBytes || position % Alignment != 0 || samples <= 0 || position > indexAt - (2L * samples))
            {
                throw new DataFormatException($"The index of {path} places utterance {i} outside the file: pack the corpus again.");
            }

            (addresses[i], lengths[i], checksums[i]) = ((nint)(mapping.Data + position), samples, reader.ReadUInt32());
            string id = reader.ReadString();
            utterances[i] = new Utterance(id, full, ReadOptional(reader), ReadOptional(reader), (double)samples / rate);
        }

        return new Corpus(utterances, addresses, lengths, rate, mapping);
    }

    private static void WriteTo(
        Stream stream, Manifest manifest, CorpusOptions options, IProgress<DataProgress>? progress, CancellationToken cancellation)
    {
        var utterances = manifest.Utterances;
        using var index = new MemoryStream();
        using var entries = new BinaryWriter(index, Encoding.UTF8);
        Span<byte> zeros = stackalloc byte[Alignment];
        zeros.Clear();
        stream.Write(zeros);
        var decoded = new short[DecodeAtOnce][];
        int done = 0;
        for (int first = 0; first < utterances.Count; first += DecodeAtOnce)
        {
            var some = utterances.Skip(first).Take(DecodeAtOnce).ToArray();
            Corpus.RunOnEach(some, manifest.Source, i =>
            {
                decoded[i] = Corpus.Decode(some[i], options);
                Corpus.Report(progress, Interlocked.Increment(ref done), utterances.Count);
            }, cancellation);
            for (int i = 0; i < some.Length; i++)
            {
                var bytes = MemoryMarshal.AsBytes(decoded[i].AsSpan());
                entries.Write(stream.Position);
                entries.Write(decoded[i].Length);
                entries.Write(Crc32C.Compute(bytes));
                entries.Write(some[i].Id);
                WriteOptional(entries, some[i].Speaker);
                WriteOptional(entries, some[i].Session);
                stream.Write(bytes);
                stream.Write(zeros[..(int)((Alignment - (stream.Position % Alignment)) % Alignment)]);
            }
        }

        entries.Flush();
        var table = index.GetBuffer().AsSpan(0, (int)index.Length);
        long at = stream.Position;
        stream.Write(table);

        var header = zeros;
        Magic.CopyTo(header);
        BinaryPrimitives.WriteUInt32LittleEndian(header[8..], Version);
        BinaryPrimitives.WriteInt32LittleEndian(header[12..], options.SampleRate);
        BinaryPrimitives.WriteInt64LittleEndian(header[16..], at);
        BinaryPrimitives.WriteInt64LittleEndian(header[24..], table.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(header[32..], Crc32C.Compute(table));
        BinaryPrimitives.WriteInt32LittleEndian(header[36..], utterances.Count);
        BinaryPrimitives.WriteUInt32LittleEndian(header[60..], Crc32C.Compute(header[..60]));
        stream.Position = 0;
        stream.Write(header);
    }

    private static void WriteOptional(BinaryWriter writer, string? text)
    {
        writer.Write(text is not null);
        if (text is not null)
        {
            writer.Write(text);
        }
    }

    private static string? ReadOptional(BinaryReader reader) => reader.ReadBoolean() ? reader.ReadString() : null;

    /// <summary>A file mapped read-only; its address holds until it is disposed.</summary>
    private sealed class Mapping : IDisposable
    {
        private readonly MemoryMappedFile _file;
        private readonly MemoryMappedViewAccessor _view;

        private Mapping(MemoryMappedFile file, MemoryMappedViewAccessor view, long length)
        {
            _file = file;
            _view = view;
            Length = length;
            byte* pointer = null;
            view.SafeMemoryMappedViewHandle.AcquirePointer(ref pointer);
            Data = pointer + view.PointerOffset;
        }

        public byte* Data { get; }

        public long Length { get; }

        public static Mapping Open(string path)
        {
            long length = new FileInfo(path).Length;
            if (length == 0)
            {
                throw new DataFormatException($"{path} is no pack: it is empty (0 bytes).");
            }

            var file = MemoryMappedFile.CreateFromFile(path, FileMode.Open, mapName: null, 0, MemoryMappedFileAccess.Read);
            try
            {
                return new Mapping(file, file.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read), length);
            }
            catch
            {
                file.Dispose();
                throw;
            }
        }

        public void Dispose()
        {
            _view.SafeMemoryMappedViewHandle.ReleasePointer();
            _view.Dispose();
            _file.Dispose();
        }
    }
}
