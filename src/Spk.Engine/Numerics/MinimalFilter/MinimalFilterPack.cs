using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Spk.Engine.Numerics;

/// <summary>Copies frames and taps into the panels that the micro-kernels read, and transforms them on the way (see <see cref="MinimalFilter"/>).</summary>
internal static unsafe class MinimalFilterPack
{
    // Pairs fetched ahead of the sums.
    private const int PairsAhead = 4;

    /// <summary>Sums and differences of the frames of pairs: out[product][block][pair][channel], rows <see cref="RowPanel.Stride"/> apart.</summary>
    /// <param name="windows">Three segments a row.</param>
    /// <param name="pairs">How its rows are paired.</param>
    /// <param name="pair0">First pair.</param>
    /// <param name="count">Pairs.</param>
    /// <param name="padded">Pairs with those of the last panel that are filled with zeros.</param>
    /// <param name="blockDepth">Channels of a block.</param>
    /// <param name="destination">Where to write.</param>
    public static void Frames(in MatrixView windows, in FramePairs pairs, int pair0, int count, int padded, int blockDepth, float* destination)
    {
        float* zeros = stackalloc float[blockDepth];
        NativeMemory.Clear(zeros, (nuint)blockDepth * sizeof(float));
        int channels = windows.SegmentWidth, blocks = (channels + blockDepth - 1) / blockDepth;
        nint blockFloats = (nint)padded * RowPanel.Stride;
        for (int r = 0; r < padded; r++)
        {
            var read = r < count ? new PairFrames(windows, pairs, pair0 + r, zeros) : new PairFrames(zeros);
            if (r + PairsAhead < count)
            {
                PairFrames.Fetch(windows, pairs, pair0 + r + PairsAhead, 0, channels);
            }

            float* to = destination + ((nint)r * RowPanel.Stride);
            for (int from = 0; from < channels; from += blockDepth, to += blockFloats)
            {
                read.Sums(from, Math.Min(blockDepth, channels - from), to, blocks * blockFloats);
            }
        }
    }

    /// <summary>One strip of transformed taps: out[product][depth][column], <paramref name="width"/> columns a row.</summary>
    /// <param name="taps">The first tap, [depth, columns], or a transposed view of [columns, depth].</param>
    /// <param name="tapStep">Elements from tap to tap.</param>
    /// <param name="column0">First column.</param>
    /// <param name="columns">Columns; what is missing to the width is filled with zeros.</param>
    /// <param name="width">Columns of the strip.</param>
    /// <param name="destination">Where to write.</param>
    public static void Taps(in MatrixView taps, nint tapStep, int column0, int columns, int width, float* destination)
    {
        if (taps.IsTransposed)
        {
            TransposedTaps(taps, tapStep, column0, columns, width, destination);
            return;
        }

        nint step = (nint)taps.Height * width;
        for (int k = 0; k < taps.Rows; k++)
        {
            float* g0 = taps.Segment(k, 0) + column0, to = destination + ((nint)k * width);
            float* g1 = g0 + tapStep, g2 = g1 + tapStep;
            int j = 0;
            for (; j <= columns - 16; j += 16)
            {
                var (first, middle, last) = (Vector512.Load(g0 + j), Vector512.Load(g1 + j), Vector512.Load(g2 + j));
                var outer = first + last;
                first.Store(to + j);
                ((outer + middle) * 0.5f).Store(to + step + j);
                ((outer - middle) * 0.5f).Store(to + (2 * step) + j);
                last.Store(to + (3 * step) + j);
            }

            for (; j < width; j++)
            {
                bool inside = j < columns;
                var (first, middle, last) = inside ? (g0[j], g1[j], g2[j]) : (0f, 0f, 0f);
                to[j] = first;
                to[step + j] = (first + last + middle) * 0.5f;
                to[(2 * step) + j] = (first + last - middle) * 0.5f;
                to[(3 * step) + j] = last;
            }
        }
    }

    private static void TransposedTaps(in MatrixView taps, nint tapStep, int column0, int columns, int width, float* destination)
    {
        const int lanes = 4, chunk = 64;
        float* sums = stackalloc float[2 * lanes * chunk];
        float** from = stackalloc float*[4 * lanes];
        int depth = taps.Height;
        nint step = (nint)depth * width;
        for (int j = 0; j < width; j += lanes)
        {
            for (int k = 0; k < depth; k += chunk)
            {
                int take = Math.Min(chunk, depth - k);
                for (int q = 0; q < lanes; q++)
                {
                    float* g0 = j + q < columns ? taps.Segment(column0 + j + q, 0) + k : null;
                    if (g0 == null)
                    {
                        from[q] = from[lanes + q] = from[(2 * lanes) + q] = from[(3 * lanes) + q] = null;
                        continue;
                    }

                    float* plus = sums + (q * chunk), minus = plus + (lanes * chunk), g2 = g0 + (2 * tapStep);
                    Halves(g0, g0 + tapStep, g2, take, plus, minus);
                    from[q] = g0;
                    from[lanes + q] = plus;
                    from[(2 * lanes) + q] = minus;
                    from[(3 * lanes) + q] = g2;
                }

                for (int product = 0; product < MinimalFilter.Products; product++)
                {
                    GemmPack.Transpose4(from + (product * lanes), take, destination + (product * step) + ((nint)k * width) + j, width);
                }
            }
        }
    }

    private static void Halves(float* g0, float* g1, float* g2, int count, float* plus, float* minus)
    {
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            var (outer, middle) = (Vector512.Load(g0 + i) + Vector512.Load(g2 + i), Vector512.Load(g1 + i));
            ((outer + middle) * 0.5f).Store(plus + i);
            ((outer - middle) * 0.5f).Store(minus + i);
        }

        for (; i < count; i++)
        {
            plus[i] = (g0[i] + g2[i] + g1[i]) * 0.5f;
            minus[i] = (g0[i] + g2[i] - g1[i]) * 0.5f;
        }
    }
}
