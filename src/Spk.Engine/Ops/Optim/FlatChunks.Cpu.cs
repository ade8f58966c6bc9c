using System.Runtime.CompilerServices;

namespace Spk.Engine.Ops.Optim;

/// <summary>How flat vectors are split for the workers, by length only, and where weight decay applies.</summary>
internal static unsafe class FlatChunks
{
    /// <summary>Elements of one item of work: 64 KiB a vector, so that its few vectors fit the second-level cache.</summary>
    public const int Length = 16384;

    public static int Count(int elements) => (elements + Length - 1) / Length;

    /// <summary>
    /// The end of the longest run from <paramref name="start"/> on, at most <paramref name="end"/>, in which the decay is one value.
    /// </summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static int RunEnd(int* undecayed, int runs, int start, int end, float decay, out float applied)
    {
        int low = 0, high = runs;
        while (low < high)
        {
            int middle = (low + high) / 2;
            if (undecayed[(2 * middle) + 1] <= start)
            {
                low = middle + 1;
            }
            else
            {
                high = middle;
            }
        }

        if (low == runs)
        {
            applied = decay;
            return end;
        }

        bool inside = undecayed[2 * low] <= start;
        applied = inside ? 0 : decay;
        return Math.Min(end, undecayed[(2 * low) + (inside ? 1 : 0)]);
    }
}
