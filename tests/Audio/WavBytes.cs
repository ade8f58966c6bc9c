using System.Buffers.Binary;
using System.Text;

namespace Spk.Tests.Audio;

/// <summary>Builds WAV files byte by byte, sound and broken ones.</summary>
internal static class WavBytes
{
    /// <summary>A file with a plain 'fmt ' chunk.</summary>
    public static byte[] Make(int codec, int bits, int channels, int rate, byte[] data, uint? dataSize = null, byte[]? before = null, byte[]? after = null) =>
        Assemble("RIFF", Format(codec, bits, channels, rate), data, dataSize, before, after);

    /// <summary>A file with a WAVE_FORMAT_EXTENSIBLE 'fmt ' chunk.</summary>
    public static byte[] MakeExtensible(int codec, int bits, int channels, int rate, byte[] data)
    {
        byte[] format = [.. Format(0xFFFE, bits, channels, rate), 22, 0, (byte)bits, 0, 0, 0, 0, 0, (byte)codec, 0, .. Guid];
        return Assemble("RIFF", format, data, null, null, null);
    }

    /// <summary>A 64-bit RIFF file: sizes are in a 'ds64' chunk.</summary>
    public static byte[] MakeRf64(byte[] data, byte[] after)
    {
        var ds64 = new byte[36];
        "ds64"u8.CopyTo(ds64);
        BinaryPrimitives.WriteInt32LittleEndian(ds64.AsSpan(4), 28);
        BinaryPrimitives.WriteInt64LittleEndian(ds64.AsSpan(16), data.Length);
        return Assemble("RF64", Format(1, 16, 1, 16000), data, uint.MaxValue, ds64, after);
    }

    public static byte[] Chunk(string name, byte[] body) =>
        [.. Encoding.ASCII.GetBytes(name), .. BitConverter.GetBytes(body.Length), .. body, .. new byte[body.Length & 1]];

    public static byte[] Pcm16(params short[] samples) => [.. samples.SelectMany(BitConverter.GetBytes)];

    public static byte[] Float32(params float[] samples) => [.. samples.SelectMany(BitConverter.GetBytes)];

    private static byte[] Guid => [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xAA, 0, 0x38, 0x9B, 0x71];

    private static byte[] Format(int codec, int bits, int channels, int rate)
    {
        var body = new byte[16];
        BinaryPrimitives.WriteUInt16LittleEndian(body, (ushort)codec);
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(2), (ushort)channels);
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(4), rate);
        BinaryPrimitives.WriteInt32LittleEndian(body.AsSpan(8), rate * channels * bits / 8);
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(12), (ushort)(channels * bits / 8));
        BinaryPrimitives.WriteUInt16LittleEndian(body.AsSpan(14), (ushort)bits);
        return body;
    }

    private static byte[] Assemble(string magic, byte[] format, byte[] data, uint? dataSize, byte[]? before, byte[]? after)
    {
        byte[] body =
        [
            .. "WAVE"u8, .. before ?? [], .. Chunk("fmt ", format), .. "data"u8, .. BitConverter.GetBytes(dataSize ?? (uint)data.Length), .. data, .. after ?? [],
        ];
        return [.. Encoding.ASCII.GetBytes(magic), .. BitConverter.GetBytes(body.Length), .. body];
    }
}
