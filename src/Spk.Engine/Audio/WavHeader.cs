using System.Buffers.Binary;
using System.Text;
using Spk.Interop;

namespace Spk.Engine.Audio;

/// <summary>The chunks before a WAV file's samples.</summary>
/// <param name="Info">What is stored.</param>
/// <param name="DataOffset">Position of the first sample.</param>
/// <param name="BytesPerFrame">Bytes of one frame, all channels.</param>
internal readonly record struct WavHeader(AudioInfo Info, long DataOffset, int BytesPerFrame)
{
    /// <summary>Bytes that <see cref="WriteMono16"/> writes.</summary>
    public const int MonoHeaderBytes = 44;

    // Programs that write to a pipe cannot come back to fill in the length. They leave 0, 2^32 - 1, or (SoX) just below 2^31.
    private const long StreamingSize = 0x7FFFF000;

    private const int CodecPcm = 1, CodecFloat = 3, CodecExtensible = 0xFFFE;

    public static WavHeader Parse(Stream stream, string path)
    {
        long length = stream.Length;
        if (length == 0)
        {
            throw new DataFormatException($"{path} is empty (0 bytes): record or convert it again.");
        }

        Span<byte> start = stackalloc byte[12];
        int got = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
        RequireWave(start[..got], path);
        bool is64 = start.StartsWith("RF64"u8) || start.StartsWith("BW64"u8);

        Span<byte> head = stackalloc byte[8];
        Span<byte> body = stackalloc byte[40];
        long wideDataBytes = -1;
        Format? format = null;
        while (stream.ReadAtLeast(head, head.Length, throwOnEndOfStream: false) == head.Length)
        {
            long size = BinaryPrimitives.ReadUInt32LittleEndian(head[4..]);
            long at = stream.Position;
            if (head.StartsWith("data"u8))
            {
                return format is { } known
                    ? Finish(known, at, size == uint.MaxValue && wideDataBytes >= 0 ? wideDataBytes : size, length, path)
                    : throw new DataFormatException($"{path} has samples before its 'fmt ' chunk: the WAV header is damaged; convert the file again.");
            }

            if (head.StartsWith("fmt "u8))
            {
                int wanted = (int)Math.Min(size, body.Length);
                int read = stream.ReadAtLeast(body[..wanted], wanted, throwOnEndOfStream: false);
                format = Format.Parse(body[..read], path);
            }
            else if (is64 && head.StartsWith("ds64"u8) && size >= 16)
            {
                stream.ReadExactly(body[..16]);
                wideDataBytes = BinaryPrimitives.ReadInt64LittleEndian(body[8..]);
            }

            // A chunk of odd length is followed by one byte of padding. Not every stream can be set beyond its end.
            stream.Position = Math.Min(at + size + (size & 1), length);
        }

        throw new DataFormatException($"{path} ends before its samples begin ({length} bytes, no 'data' chunk): the file is truncated.");
    }

    public static void WriteMono16(Span<byte> bytes, int frames, int sampleRate)
    {
        "RIFF"u8.CopyTo(bytes);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[4..], 36 + (2 * frames));
        "WAVEfmt "u8.CopyTo(bytes[8..]);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[16..], 16);
        BinaryPrimitives.WriteInt16LittleEndian(bytes[20..], CodecPcm);
        BinaryPrimitives.WriteInt16LittleEndian(bytes[22..], 1);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[24..], sampleRate);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[28..], 2 * sampleRate);
        BinaryPrimitives.WriteInt16LittleEndian(bytes[32..], 2);
        BinaryPrimitives.WriteInt16LittleEndian(bytes[34..], 16);
        "data"u8.CopyTo(bytes[36..]);
        BinaryPrimitives.WriteInt32LittleEndian(bytes[40..], 2 * frames);
    }

    private static WavHeader Finish(Format format, long offset, long size, long length, string path)
    {
        long there = Math.Max(0, length - offset);
        bool open = size == 0 || (size >= StreamingSize && size > there);
        long promised = open ? there : size;
        var info = new AudioInfo(
            format.SampleRate, format.Channels, format.SampleFormat(path), promised / format.BytesPerFrame, Math.Min(promised, there) / format.BytesPerFrame);
        return new WavHeader(info, offset, format.BytesPerFrame);
    }

    private static void RequireWave(ReadOnlySpan<byte> start, string path)
    {
        bool riff = start.StartsWith("RIFF"u8) || start.StartsWith("RF64"u8) || start.StartsWith("BW64"u8);
        if (start.Length == 12 && riff && start[8..].SequenceEqual("WAVE"u8))
        {
            return;
        }

        string? other = start.StartsWith("fLaC"u8) ? "FLAC"
            : start.StartsWith("OggS"u8) ? "Ogg"
            : start.StartsWith("ID3"u8) || (start.Length > 1 && start[0] == 0xFF && (start[1] & 0xE0) == 0xE0) ? "MP3"
            : start.Length >= 8 && start[4..].StartsWith("ftyp"u8) ? "MPEG-4 audio"
            : start.StartsWith("RIFX"u8) ? "big-endian RIFX"
            : start.StartsWith("FORM"u8) ? "AIFF"
            : start.StartsWith("NIST_1A"u8) ? "NIST SPHERE"
            : null;
        if (other is not null)
        {
            throw new DataFormatException($"{path} is {other}, not WAV: convert it with `{AudioFormats.ConversionCommand(path)}`.");
        }

        throw new DataFormatException(
            $"{path} is not a WAV file: it begins with \"{Printable(start)}\" instead of RIFF…WAVE; replace it or convert it with `{AudioFormats.ConversionCommand(path)}`.");
    }

    private static string Printable(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder();
        foreach (byte b in bytes)
        {
            text.Append(b is >= 32 and < 127 ? (char)b : '.');
        }

        return text.ToString();
    }

    /// <summary>The 'fmt ' chunk.</summary>
    private readonly record struct Format(int Codec, int Channels, int SampleRate, int BytesPerFrame, int Bits)
    {
        public static Format Parse(ReadOnlySpan<byte> body, string path)
        {
            if (body.Length < 16)
            {
                throw new DataFormatException($"{path} ends inside its 'fmt ' chunk: the file is truncated.");
            }

            int codec = BinaryPrimitives.ReadUInt16LittleEndian(body);
            if (codec == CodecExtensible && body.Length >= 26)
            {
                // The first two bytes of the sub-format's GUID are the codec it stands for.
                codec = BinaryPrimitives.ReadUInt16LittleEndian(body[24..]);
            }

            var format = new Format(
                codec,
                BinaryPrimitives.ReadUInt16LittleEndian(body[2..]),
                BinaryPrimitives.ReadInt32LittleEndian(body[4..]),
                BinaryPrimitives.ReadUInt16LittleEndian(body[12..]),
                BinaryPrimitives.ReadUInt16LittleEndian(body[14..]));
            format.SampleFormat(path);
            if (format.Channels == 0 || format.SampleRate <= 0 || format.BytesPerFrame != format.Channels * format.Bits / 8)
            {
                throw new DataFormatException(
                    $"{path} has an impossible header ({format.Channels} channels, {format.SampleRate} Hz, {format.Bits} bits, {format.BytesPerFrame} bytes a frame): convert the file again.");
            }

            return format;
        }

        public Audio.SampleFormat SampleFormat(string path) => (Codec, Bits) switch
        {
            (CodecPcm, 8) => Audio.SampleFormat.Pcm8,
            (CodecPcm, 16) => Audio.SampleFormat.Pcm16,
            (CodecPcm, 24) => Audio.SampleFormat.Pcm24,
            (CodecPcm, 32) => Audio.SampleFormat.Pcm32,
            (CodecFloat, 32) => Audio.SampleFormat.Float32,
            (CodecFloat, 64) => Audio.SampleFormat.Float64,
            _ => throw new DataFormatException(
                $"{path} is coded as {CodecName(Codec)} with {Bits} bits: only PCM of 8, 16, 24 or 32 bits and float of 32 or 64 bits are read; convert it with `{AudioFormats.ConversionCommand(path)}`."),
        };

        private static string CodecName(int codec) => codec switch
        {
            CodecPcm => "PCM",
            2 => "Microsoft ADPCM",
            CodecFloat => "float",
            6 => "A-law",
            7 => "mu-law",
            0x11 => "IMA ADPCM",
            0x31 => "GSM 6.10",
            0x50 => "MPEG",
            0x55 => "MP3",
            0xFF => "AAC",
            _ => $"codec 0x{codec:X4}",
        };
    }
}
