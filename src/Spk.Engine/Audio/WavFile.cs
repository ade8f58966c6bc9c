using System.Buffers;
using System.Buffers.Binary;
using Spk.Interop;

namespace Spk.Engine.Audio;

/// <summary>
/// Reads and writes WAV files (RIFF/WAVE, also RF64 and WAVE_FORMAT_EXTENSIBLE): PCM of 8, 16, 24 and 32 bits, floating point
/// of 32 and 64 bits, any number of channels.
/// </summary>
public static class WavFile
{
    /// <summary>Reads the header only.</summary>
    /// <param name="path">The file.</param>
    /// <returns>Rate, channels, format and length; a truncated file is reported, not refused.</returns>
    /// <exception cref="DataFormatException">The file is missing, unreadable, empty, no WAV file, or of an unsupported codec.</exception>
    public static AudioInfo ReadInfo(string path)
    {
        using var stream = Open(path);
        return WavHeader.Parse(stream, path).Info;
    }

    /// <summary>Reads a recording as mono f32.</summary>
    /// <param name="path">The file.</param>
    /// <param name="policy">What to do with several channels.</param>
    /// <returns>Samples and rate; integer formats map to [-1, 1).</returns>
    /// <exception cref="DataFormatException">
    /// The file is missing, unreadable, empty, truncated, no WAV file, of an unsupported codec, has a NaN or an infinite sample, or has
    /// several channels where one is required.
    /// </exception>
    public static AudioClip Read(string path, ChannelPolicy policy = ChannelPolicy.RequireMono)
    {
        using var stream = Open(path);
        return Read(stream, path, policy);
    }

    /// <summary>Reads a recording from a stream, such as an upload, as mono f32.</summary>
    /// <param name="stream">A seekable stream at the beginning of a WAV file.</param>
    /// <param name="name">What messages call it.</param>
    /// <param name="policy">What to do with several channels.</param>
    /// <returns>Samples and rate; integer formats map to [-1, 1).</returns>
    /// <exception cref="DataFormatException">As for <see cref="Read(string, ChannelPolicy)"/>.</exception>
    public static AudioClip Read(Stream stream, string name, ChannelPolicy policy = ChannelPolicy.RequireMono)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var header = WavHeader.Parse(stream, name);
        RequireReadable(header.Info, policy, name);
        var samples = new float[header.Info.Frames];
        byte[] bytes = ReadBytes(stream, header, name, out int count);
        try
        {
            WavSamples.Decode(bytes.AsSpan(0, count), header.Info, policy, samples, name);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }

        return new AudioClip(samples, header.Info.SampleRate);
    }

    /// <summary>Writes a mono recording as 16-bit PCM; values outside [-1, 1) are clipped.</summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <param name="samples">Samples, nominally within [-1, 1).</param>
    /// <param name="sampleRate">Samples per second.</param>
    /// <exception cref="NonFiniteException">A sample is NaN or infinite; nothing is written.</exception>
    public static void Write(string path, ReadOnlySpan<float> samples, int sampleRate)
    {
        short[] pcm = ArrayPool<short>.Shared.Rent(samples.Length);
        try
        {
            for (int i = 0; i < samples.Length; i++)
            {
                if (!float.IsFinite(samples[i]))
                {
                    throw new NonFiniteException($"Sample {i} for {path} is {samples[i]}: a WAV file needs finite numbers.");
                }

                pcm[i] = WavSamples.ToInt16(samples[i]);
            }

            Write(path, pcm.AsSpan(0, samples.Length), sampleRate);
        }
        finally
        {
            ArrayPool<short>.Shared.Return(pcm);
        }
    }

    /// <summary>Writes a mono recording of 16-bit samples unchanged.</summary>
    /// <param name="path">The file; replaced if it exists.</param>
    /// <param name="samples">16-bit samples.</param>
    /// <param name="sampleRate">Samples per second, above 0.</param>
    public static void Write(string path, ReadOnlySpan<short> samples, int sampleRate)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(sampleRate);
        int length = WavHeader.MonoHeaderBytes + (2 * samples.Length);
        byte[] bytes = ArrayPool<byte>.Shared.Rent(length);
        try
        {
            WavHeader.WriteMono16(bytes, samples.Length, sampleRate);
            var data = bytes.AsSpan(WavHeader.MonoHeaderBytes);
            for (int i = 0; i < samples.Length; i++)
            {
                BinaryPrimitives.WriteInt16LittleEndian(data[(2 * i)..], samples[i]);
            }

            using var stream = new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.None, bufferSize: 0);
            stream.Write(bytes, 0, length);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>Reads a recording as mono 16-bit samples: unchanged from mono 16-bit files, rounded and clipped from others.</summary>
    /// <param name="path">The file.</param>
    /// <param name="policy">What to do with several channels.</param>
    /// <param name="sampleRate">Receives the samples per second.</param>
    /// <returns>Samples; ±32768 is full scale.</returns>
    /// <exception cref="DataFormatException">As for <see cref="Read(string, ChannelPolicy)"/>.</exception>
    public static short[] ReadInt16(string path, ChannelPolicy policy, out int sampleRate)
    {
        using var stream = Open(path);
        var header = WavHeader.Parse(stream, path);
        RequireReadable(header.Info, policy, path);
        sampleRate = header.Info.SampleRate;
        var pcm = new short[header.Info.Frames];
        byte[] bytes = ReadBytes(stream, header, path, out int count);
        try
        {
            if (header.Info is { Format: SampleFormat.Pcm16, Channels: 1 })
            {
                for (int i = 0; i < pcm.Length; i++)
                {
                    pcm[i] = BinaryPrimitives.ReadInt16LittleEndian(bytes.AsSpan(2 * i));
                }

                return pcm;
            }

            var samples = new float[pcm.Length];
            WavSamples.Decode(bytes.AsSpan(0, count), header.Info, policy, samples, path);
            Quantize(samples, pcm);
            return pcm;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(bytes);
        }
    }

    /// <summary>Rounds samples to 16 bits; values outside [-1, 1) are clipped.</summary>
    /// <param name="samples">Finite samples.</param>
    /// <param name="pcm">Receives as many 16-bit samples.</param>
    public static void Quantize(ReadOnlySpan<float> samples, Span<short> pcm)
    {
        for (int i = 0; i < samples.Length; i++)
        {
            pcm[i] = WavSamples.ToInt16(samples[i]);
        }
    }

    /// <summary>Throws where a header rules out that the file can be read.</summary>
    /// <param name="info">What <see cref="ReadInfo"/> returned.</param>
    /// <param name="policy">What is done with several channels.</param>
    /// <param name="path">The file, for the message.</param>
    /// <exception cref="DataFormatException">The file is truncated, has no samples, or has several channels where one is required.</exception>
    public static void RequireReadable(in AudioInfo info, ChannelPolicy policy, string path)
    {
        if (info.IsTruncated)
        {
            throw new DataFormatException(
                $"{path} is truncated: its header promises {info.Frames} frames and {info.FramesPresent} are there; copy or convert the file again.");
        }

        if (info.Frames == 0)
        {
            throw new DataFormatException($"{path} holds no samples: remove it from the manifest.");
        }

        if (info.Channels > 1 && policy == ChannelPolicy.RequireMono)
        {
            throw new DataFormatException(
                $"{path} has {info.Channels} channels where one is expected: choose the channel policy 'first' or 'mean', or convert it to mono.");
        }

        if (info.Frames > Array.MaxLength / 8 / info.Channels)
        {
            throw new DataFormatException($"{path} has {info.Frames} frames, too many for one utterance: cut it into pieces.");
        }
    }

    private static FileStream Open(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 512, FileOptions.SequentialScan);
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
        {
            throw new DataFormatException($"{path} does not exist: check the path and the data root.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DataFormatException($"{path} cannot be opened: {e.Message}", e);
        }
    }

    private static byte[] ReadBytes(Stream stream, in WavHeader header, string path, out int count)
    {
        count = checked((int)(header.Info.Frames * header.BytesPerFrame));
        byte[] bytes = ArrayPool<byte>.Shared.Rent(count);
        try
        {
            stream.Position = header.DataOffset;
            stream.ReadExactly(bytes, 0, count);
            return bytes;
        }
        catch (IOException e)
        {
            ArrayPool<byte>.Shared.Return(bytes);
            throw new DataFormatException($"{path} cannot be read: {e.Message}", e);
        }
    }
}
