using System.Runtime.CompilerServices;

namespace Spk.Engine.Ops.Score;

/// <summary>
/// A score and its index as one number whose ascending order is: higher scores first, of equal scores the lower index, a NaN last. The
/// kernel of the same op uses the same numbers.
/// </summary>
internal static class CosineRank
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Of(float score, int index)
    {
        uint bits = BitConverter.SingleToUInt32Bits(score + 0f);
        uint ordered = float.IsNaN(score) ? uint.MaxValue : (bits & 0x8000_0000) != 0 ? bits : ~bits & 0x7fff_ffff;
        return ((ulong)ordered << 32) | (uint)index;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static float Score(ulong rank)
    {
        uint ordered = (uint)(rank >> 32);
        return BitConverter.UInt32BitsToSingle((ordered & 0x8000_0000) != 0 ? ordered : ~ordered & 0x7fff_ffff);
    }

    public static int Index(ulong rank) => (int)(uint)rank;

    /// <summary>Moves the k smallest to the front in any order, the largest of them to place k − 1 (Hoare's selection).</summary>
    /// <param name="ranks">Distinct numbers, at least k.</param>
    /// <param name="k">1 or more.</param>
    public static void Select(Span<ulong> ranks, int k)
    {
        int low = 0, high = ranks.Length - 1, wanted = k - 1;
        while (low < high)
        {
            // The middle of three keeps rows that happen to be sorted from taking quadratic time.
            int middle = low + ((high - low) / 2);
            Order(ranks, low, middle);
            Order(ranks, low, high);
            Order(ranks, middle, high);
            ulong pivot = ranks[middle];
            int i = low, j = high;
            while (i <= j)
            {
                while (ranks[i] < pivot)
                {
                    i++;
                }

                while (ranks[j] > pivot)
                {
                    j--;
                }

                if (i <= j)
                {
                    (ranks[i], ranks[j]) = (ranks[j], ranks[i]);
                    i++;
                    j--;
                }
            }

            if (wanted <= j)
            {
                high = j;
            }
            else if (wanted >= i)
            {
                low = i;
            }
            else
            {
                return;
            }
        }
    }

    private static void Order(Span<ulong> ranks, int a, int b)
    {
        if (ranks[a] > ranks[b])
        {
            (ranks[a], ranks[b]) = (ranks[b], ranks[a]);
        }
    }
}
