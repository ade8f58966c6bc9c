using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Features;

/// <summary>
/// Gaussian noise for frames side by side. Samples 4b to 4b+3 of frame t come from the Philox block with counter
/// (t·⌈length/4⌉ + b, row, epoch, stream), by Box-Muller with both branches.
/// </summary>
internal static unsafe class FrameDither
{
    /// <summary>Adds deviation · N(0, 1) to samples[i · lanes + lane].</summary>
    public static void Add<TLanes, TWords>(float* samples, int length, float deviation, ulong seed, uint epoch, uint* rows, uint* frames)
        where TLanes : unmanaged, ILanes<TLanes>
        where TWords : unmanaged, ILaneWords<TWords, TLanes>
    {
        uint blocks = (uint)(length + 3) / 4;
        var row = TWords.Load(rows);
        var first = TWords.Load(frames) * TWords.Create(blocks);
        var stream = TWords.Create((uint)RandomPurpose.Dither);
        for (uint block = 0; block < blocks; block++)
        {
            var (w0, w1, w2, w3) = (first + TWords.Create(block), row, TWords.Create(epoch), stream);
            Rounds<TLanes, TWords>(seed, ref w0, ref w1, ref w2, ref w3);
            float* at = samples + (block * 4 * TLanes.Count);
            AddPair<TLanes, TWords>(w0, w1, deviation, at, length - (int)(4 * block));
            AddPair<TLanes, TWords>(w2, w3, deviation, at + (2 * TLanes.Count), length - (int)(4 * block) - 2);
        }
    }

    private static void AddPair<TLanes, TWords>(TWords w0, TWords w1, float deviation, float* at, int left)
        where TLanes : unmanaged, ILanes<TLanes>
        where TWords : unmanaged, ILaneWords<TWords, TLanes>
    {
        // 24 random bits each; the radius' uniform lies in (0, 1], so the logarithm is finite.
        const float Unit = 1f / 16777216f;
        var uniform = (TWords.Upper24(w0) + TLanes.Create(1f)) * TLanes.Create(Unit);
        var radius = TLanes.Sqrt(TLanes.Log(uniform) * TLanes.Create(-2f)) * TLanes.Create(deviation);
        var (sin, cos) = TLanes.SinCos(TWords.Upper24(w1) * TLanes.Create(2f * MathF.PI * Unit));
        if (left > 0)
        {
            TLanes.FusedMultiplyAdd(radius, cos, TLanes.Load(at)).Store(at);
        }

        if (left > 1)
        {
            TLanes.FusedMultiplyAdd(radius, sin, TLanes.Load(at + TLanes.Count)).Store(at + TLanes.Count);
        }
    }

    // Philox4x32-10 (see Philox) on the lanes' counters.
    private static void Rounds<TLanes, TWords>(ulong seed, ref TWords c0, ref TWords c1, ref TWords c2, ref TWords c3)
        where TLanes : unmanaged, ILanes<TLanes>
        where TWords : unmanaged, ILaneWords<TWords, TLanes>
    {
        uint k0 = (uint)seed, k1 = (uint)(seed >> 32);
        var (x0, x1, x2, x3) = (c0, c1, c2, c3);
        for (int round = 0; round < 10; round++)
        {
            TWords.Multiply(x0, 0xD2511F53, out var high0, out var low0);
            TWords.Multiply(x2, 0xCD9E8D57, out var high1, out var low1);
            (x0, x1, x2, x3) = (high1 ^ x1 ^ TWords.Create(k0), low1, high0 ^ x3 ^ TWords.Create(k1), low0);
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }

        (c0, c1, c2, c3) = (x0, x1, x2, x3);
    }
}
