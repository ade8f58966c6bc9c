using System.Runtime.InteropServices;
using Spk.Engine.Audio;
using Spk.Engine.Ops.Audio;
using Spk.Interop;

namespace Spk.Training.Data;

/// <summary>All utterances of a corpus as 16-bit mono samples: decoded into memory from WAV files, or mapped from a pack.</summary>
/// <remarks>Reading is thread-safe. Spans become invalid when the corpus is disposed.</remarks>
public sealed unsafe class Corpus : PcmSource, IDisposable
{
    private readonly nint[] _addresses;
    private readonly int[] _lengths;
    private readonly int[] _speakerOf;
    private readonly Dictionary<string, int> _indexOf;
    private readonly IDisposable? _owner;
    private bool _disposed;

    /// <summary>Takes over memory: the samples are freed through <paramref name="owner"/>, or one by one where it is null.</summary>
    internal Corpus(IReadOnlyList<Utterance> utterances, nint[] addresses, int[] lengths, int sampleRate, IDisposable? owner)
    {
        Utterances = utterances;
        _addresses = addresses;
        _lengths = lengths;
        _owner = owner;
        SampleRate = sampleRate;
        Speakers = [.. utterances.Select(u => u.Speaker).OfType<string>().Distinct().Order(StringComparer.Ordinal)];
        var index = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int i = 0; i < Speakers.Count; i++)
        {
            index.Add(Speakers[i], i);
        }

        _speakerOf = [.. utterances.Select(u => u.Speaker is null ? -1 : index[u.Speaker])];
        _indexOf = new Dictionary<string, int>(utterances.Count, StringComparer.Ordinal);
        for (int i = 0; i < utterances.Count; i++)
        {
            _indexOf.Add(utterances[i].Id, i);
            TotalSamples += lengths[i];
        }
    }

    /// <summary>The utterances, in the order of their indices.</summary>
    public IReadOnlyList<Utterance> Utterances { get; }

    /// <summary>The distinct speaker labels, in ordinal order.</summary>
    public IReadOnlyList<string> Speakers { get; }

    /// <summary>Samples per second.</summary>
    public int SampleRate { get; }

    /// <summary>Samples of all utterances together.</summary>
    public long TotalSamples { get; }

    /// <inheritdoc/>
    public override int Count => _lengths.Length;

    /// <summary>Decodes all files of a manifest in parallel.</summary>
    /// <param name="manifest">What to load.</param>
    /// <param name="options">Rate and channels; null for 16 kHz mono without resampling.</param>
    /// <param name="progress">Told about every 64 files.</param>
    /// <param name="cancellation">Ends the load early.</param>
    /// <returns>The corpus; the caller disposes it.</returns>
    /// <exception cref="DataFormatException">
    /// Some file is missing, damaged, or of another rate or channel number than allowed; the message names the first and counts the rest.
    /// </exception>
    public static Corpus Load(
        Manifest manifest, CorpusOptions? options = null, IProgress<DataProgress>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        options ??= new CorpusOptions();
        options.Validate();
        var utterances = manifest.Utterances;
        var addresses = new nint[utterances.Count];
        var lengths = new int[utterances.Count];
        try
        {
            int done = 0;
            RunOnEach(utterances, manifest.Source, i =>
            {
                short[] samples = Decode(utterances[i], options);
                (addresses[i], lengths[i]) = (Keep(samples), samples.Length);
                Report(progress, Interlocked.Increment(ref done), utterances.Count);
            }, cancellation);
        }
        catch
        {
            Free(addresses);
            throw;
        }

        return new Corpus(utterances, addresses, lengths, options.SampleRate, owner: null);
    }

    /// <summary>A corpus of samples that are in memory already; they are copied.</summary>
    /// <param name="utterances">Names and labels, with distinct ids.</param>
    /// <param name="samples">16-bit samples of each utterance, at least one each.</param>
    /// <param name="sampleRate">Samples per second.</param>
    /// <returns>The corpus; the caller disposes it.</returns>
    public static Corpus FromSamples(IReadOnlyList<Utterance> utterances, IReadOnlyList<short[]> samples, int sampleRate)
    {
        ArgumentNullException.ThrowIfNull(utterances);
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentOutOfRangeException.ThrowIfNotEqual(samples.Count, utterances.Count);
        var addresses = new nint[samples.Count];
        var lengths = new int[samples.Count];
        for (int i = 0; i < addresses.Length; i++)
        {
            (addresses[i], lengths[i]) = (Keep(samples[i]), samples[i].Length);
        }

        return new Corpus([.. utterances], addresses, lengths, sampleRate, owner: null);
    }

    /// <summary>Maps a pack made by <see cref="CorpusPack.Write"/>; samples are read from disk when first touched.</summary>
    /// <param name="path">The pack.</param>
    /// <returns>The corpus; the caller disposes it.</returns>
    /// <exception cref="DataFormatException">The file is no pack, of another version, truncated, or its index is damaged.</exception>
    public static Corpus OpenPack(string path) => CorpusPack.Open(path);

    /// <inheritdoc/>
    public override ReadOnlySpan<short> Utterance(int index)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new ReadOnlySpan<short>((void*)_addresses[index], _lengths[index]);
    }

    /// <summary>Number of samples of one utterance.</summary>
    /// <param name="index">0 to <see cref="Count"/> − 1.</param>
    public int LengthOf(int index) => _lengths[index];

    /// <summary>Index of an utterance's speaker in <see cref="Speakers"/>, or −1 where it is unknown.</summary>
    /// <param name="utterance">0 to <see cref="Count"/> − 1.</param>
    public int SpeakerOf(int utterance) => _speakerOf[utterance];

    /// <summary>Index of the utterance with an id, or −1.</summary>
    /// <param name="id">An utterance id.</param>
    public int IndexOf(string id) => _indexOf.TryGetValue(id, out int index) ? index : -1;

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        if (_owner is null)
        {
            Free(_addresses);
        }
        else
        {
            _owner.Dispose();
        }
    }

    /// <summary>One utterance as the corpus holds it.</summary>
    internal static short[] Decode(Utterance utterance, CorpusOptions options)
    {
        short[] samples = WavFile.ReadInt16(utterance.Path, options.Channels, out int rate);
        if (rate == options.SampleRate)
        {
            return samples;
        }

        if (!options.Resample)
        {
            throw new DataFormatException(WrongRate(utterance.Path, rate, options.SampleRate));
        }

        var clip = WavFile.Read(utterance.Path, options.Channels);
        float[] resampled = Resample.Run(clip.Samples, rate, options.SampleRate);
        var pcm = new short[resampled.Length];
        WavFile.Quantize(resampled, pcm);
        return pcm;
    }

    internal static string WrongRate(string path, int rate, int wanted) =>
        $"{path} has {rate} Hz where {wanted} Hz is wanted: convert it with `{AudioFormats.ConversionCommand(path).Replace("16000", $"{wanted}", StringComparison.Ordinal)}` or set data.resample: true.";

    /// <summary>Runs an action for every utterance in parallel; of several failures the first in list order is thrown, with their number.</summary>
    internal static void RunOnEach(IReadOnlyList<Utterance> utterances, string source, Action<int> action, CancellationToken cancellation)
    {
        var failures = new string?[utterances.Count];
        Parallel.For(0, utterances.Count, new ParallelOptions { CancellationToken = cancellation }, i =>
        {
            try
            {
                action(i);
            }
            catch (DataFormatException e)
            {
                failures[i] = e.Message;
            }
        });

        int count = failures.Count(f => f is not null);
        if (count > 0)
        {
            string first = failures.First(f => f is not null)!;
            throw new DataFormatException(count == 1
                ? first
                : $"{first} (and {count - 1} more of {utterances.Count} files of {source} cannot be used; `spk data check` lists them all)");
        }
    }

    internal static void Report(IProgress<DataProgress>? progress, int done, int total)
    {
        if (done % 64 == 0 || done == total)
        {
            progress?.Report(new DataProgress(done, total));
        }
    }

    private static nint Keep(short[] samples)
    {
        var memory = NativeMemory.AlignedAlloc((nuint)Math.Max(1, samples.Length) * sizeof(short), 64);
        samples.CopyTo(new Span<short>(memory, samples.Length));
        return (nint)memory;
    }

    private static void Free(nint[] addresses)
    {
        for (int i = 0; i < addresses.Length; i++)
        {
            NativeMemory.AlignedFree((void*)addresses[i]);
            addresses[i] = 0;
        }
    }
}
