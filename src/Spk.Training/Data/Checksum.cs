using System.Numerics;
using System.Runtime.InteropServices;

namespace Spk.Training.Data;

/// <summary>CRC-32C (Castagnoli), as processors compute it in one instruction.</summary>
internal static class Checksum
{
    /// <summary>The checksum of a run of bytes; that of "123456789" is E3069283.</summary>
    public static uint Compute(ReadOnlySpan<byte> bytes)
    {
        uint crc = uint.MaxValue;
        var words = MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong word in words)
        {
            crc = BitOperations.Crc32C(crc, word);
        }

        foreach (byte b in bytes[(words.Length * sizeof(ulong))..])
        {
            crc = BitOperations.Crc32C(crc, b);
        }

        return ~crc;
    }
}
