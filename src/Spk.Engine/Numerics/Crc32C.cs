using System.Buffers.Binary;
using System.Globalization;
using System.Numerics;

namespace Spk.Engine.Numerics;

/// <summary>
/// CRC-32C (Castagnoli; RFC 3720), the checksum of TFRecord files and of this library's own. One instruction per 8 bytes where
/// the hardware has it.
/// </summary>
public static class Crc32C
{
    /// <summary>State before the first byte.</summary>
    public const uint Start = 0xFFFF_FFFF;

    /// <summary>Takes in more bytes.</summary>
    /// <param name="state"><see cref="Start"/> or the result of the previous call.</param>
    /// <param name="bytes">The next bytes.</param>
    /// <returns>The new state.</returns>
    public static uint Append(uint state, ReadOnlySpan<byte> bytes)
    {
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            state = BitOperations.Crc32C(state, BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        }

        foreach (byte value in bytes)
        {
            state = BitOperations.Crc32C(state, value);
        }

        return state;
    }

    /// <summary>The checksum of everything taken in.</summary>
    /// <param name="state">The last state.</param>
    public static uint Finish(uint state) => ~state;

    /// <summary>The checksum of some bytes.</summary>
    /// <param name="bytes">All bytes.</param>
    public static uint Compute(ReadOnlySpan<byte> bytes) => Finish(Append(Start, bytes));

    /// <summary>The checksum as 8 lower-case hexadecimal digits.</summary>
    /// <param name="state">The last state.</param>
    public static string Hexadecimal(uint state) => Finish(state).ToString("x8", CultureInfo.InvariantCulture);
}
