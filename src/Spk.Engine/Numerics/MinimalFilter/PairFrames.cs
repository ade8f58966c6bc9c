using System.Runtime.Intrinsics;

namespace Spk.Engine.Numerics;

/// <summary>The four frames that both windows of a pair read: x0 to x2 the first, x1 to x3 the second.</summary>
internal readonly unsafe struct PairFrames
{
    private readonly float* _x0, _x1, _x2, _x3, _zeros;

    /// <summary>Nothing but zeros.</summary>
    /// <param name="zeros">As many as <see cref="Sums"/> will be asked for at once.</param>
    public PairFrames(float* zeros) => _zeros = zeros;

    /// <summary>The frames of a pair; those beyond the signal, and the last without a second window, are zeros.</summary>
    public PairFrames(in MatrixView windows, in FramePairs pairs, int pair, float* zeros)
        : this(zeros)
    {
        int row = pairs.First(pair, out bool whole);
        _x0 = windows.Segment(row, 0);
        _x1 = windows.Segment(row, 1);
        _x2 = windows.Segment(row, 2);

        // Where there is no second window, this may lie beyond even the mirrored signal.
        _x3 = whole ? windows.Segment(row, 3) : null;
    }

    /// <summary>Asks for channels of the frames that an earlier pair did not read.</summary>
    public static void Fetch(in MatrixView windows, in FramePairs pairs, int pair, int from, int count)
    {
        int row = pairs.First(pair, out bool whole);
        GemmPack.Fetch(windows.Segment(row, 2), from, count);
        if (whole)
        {
            GemmPack.Fetch(windows.Segment(row, 3), from, count);
        }
    }

    /// <summary>What the taps are multiplied with: x0 − x2, x1 + x2, x2 − x1, x1 − x3.</summary>
    /// <param name="from">First channel.</param>
    /// <param name="count">Channels.</param>
    /// <param name="to">Where to write.</param>
    /// <param name="step">Elements from one sum to the next.</param>
    public void Sums(int from, int count, float* to, nint step)
    {
        float* x0 = _x0 == null ? _zeros : _x0 + from, x1 = _x1 == null ? _zeros : _x1 + from;
        float* x2 = _x2 == null ? _zeros : _x2 + from, x3 = _x3 == null ? _zeros : _x3 + from;
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            var (a, b) = (Vector512.Load(x1 + i), Vector512.Load(x2 + i));
            (Vector512.Load(x0 + i) - b).Store(to + i);
            (a + b).Store(to + step + i);
            (b - a).Store(to + (2 * step) + i);
            (a - Vector512.Load(x3 + i)).Store(to + (3 * step) + i);
        }

        for (; i < count; i++)
        {
            to[i] = x0[i] - x2[i];
            to[step + i] = x1[i] + x2[i];
            to[(2 * step) + i] = x2[i] - x1[i];
            to[(3 * step) + i] = x1[i] - x3[i];
        }
    }
}
