using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Features;

/// <summary>
/// Gaussian noise for 16 frames side by side. Samples 4b to 4b+3 of frame t come from the Philox block with counter
/// (t·⌈length/4⌉ + b, row, epoch, stream), by Box-Muller with both branches.
/// </summary>
internal static unsafe class FrameDither
{
    /// <summary>Adds deviation · N(0, 1) to samples[i · 16 + lane].</summary>
    public static void Add(float* samples, int length, float deviation, ulong seed, uint epoch, uint* rows, uint* frames)
    {
        uint blocks = (uint)(length + 3) / 4;
        var row = Vector512.Load(rows);
        var first = Vector512.Load(frames) * Vector512.Create(blocks);
        var stream = Vector512.Create((uint)RandomPurpose.Dither);
        for (uint block = 0; block < blocks; block++)
        {
            var (w0, w1, w2, w3) = (first + Vector512.Create(block), row, Vector512.Create(epoch), stream);
            Rounds(seed, ref w0, ref w1, ref w2, ref w3);
            float* at = samples + (block * 4 * Lanes.Count);
            AddPair(w0, w1, deviation, at, length - (int)(4 * block));
            AddPair(w2, w3, deviation, at + (2 * Lanes.Count), length - (int)(4 * block) - 2);
        }
    }

    private static void AddPair(Vector512<uint> w0, Vector512<uint> w1, float deviation, float* at, int left)
    {
        // 24 random bits each; the radius' uniform lies in (0, 1], so the logarithm is finite.
        const float Unit = 1f / 16777216f;
        var uniform = Vector512.ConvertToSingle((w0 >>> 8) + Vector512<uint>.One) * Unit;
        var radius = Vector512.Sqrt(Vector512.Log(uniform) * -2f) * deviation;
        var (sin, cos) = Vector512.SinCos(Vector512.ConvertToSingle(w1 >>> 8) * (2f * MathF.PI * Unit));
        if (left > 0)
        {
            Vector512.FusedMultiplyAdd(radius, cos, Vector512.Load(at)).Store(at);
        }

        if (left > 1)
        {
            Vector512.FusedMultiplyAdd(radius, sin, Vector512.Load(at + Lanes.Count)).Store(at + Lanes.Count);
        }
    }

    // Philox4x32-10 (see Philox) on 16 counters.
    private static void Rounds(ulong seed, ref Vector512<uint> c0, ref Vector512<uint> c1, ref Vector512<uint> c2, ref Vector512<uint> c3)
    {
        uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
        for (int round = 0; round < 10; round++)
        {
            Multiply(c0, 0xD2511F53, out var high0, out var low0);
            Multiply(c2, 0xCD9E8D57, out var high1, out var low1);
            c0 = high1 ^ c1 ^ Vector512.Create(k0);
            c1 = low1;
            c2 = high0 ^ c3 ^ Vector512.Create(k1);
            c3 = low0;
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Multiply(Vector512<uint> x, uint factor, out Vector512<uint> high, out Vector512<uint> low)
    {
        var evenMask = Vector512.Create(0xFFFFFFFFul);
        var wide = x.AsUInt64();
        Vector512<ulong> even, odd;
        if (Avx512F.IsSupported)
        {
            even = Avx512F.Multiply(x, Vector512.Create(factor));
            odd = Avx512F.Multiply((wide >>> 32).AsUInt32(), Vector512.Create(factor));
        }
        else
        {
            even = (wide & evenMask) * Vector512.Create((ulong)factor);
            odd = (wide >>> 32) * Vector512.Create((ulong)factor);
        }

        high = ((even >>> 32) | (odd & ~evenMask)).AsUInt32();
        low = ((even & evenMask) | (odd << 32)).AsUInt32();
    }
}
