using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;

namespace Spk.Engine.Numerics;

/// <summary>Copies blocks of a <see cref="MatrixView"/> into the contiguous panels that the micro-kernels read.</summary>
internal static unsafe class GemmPack
{
    // Rows fetched ahead of the copy: a row of a wide matrix lies in another page than the row before, where no hardware fetches ahead.
    private const int RowsAhead = 8;

    /// <summary>Rows as rows: out[panel][row][column], <paramref name="height"/> rows a panel, <paramref name="stride"/> elements a row.</summary>
    public static void Rows(in MatrixView view, int row0, int rows, int column0, int columns, int height, int stride, float* destination)
    {
        int padded = (rows + height - 1) / height * height;
        for (int r = 0; r < padded; r++)
        {
            float* to = destination + ((nint)r * stride);
            if (r >= rows)
            {
                NativeMemory.Clear(to, (nuint)columns * sizeof(float));
                continue;
            }

            CopyColumns(view, row0 + r, column0, columns, to);
        }
    }

    /// <summary>Columns in strips: out[strip][row][column], <paramref name="width"/> columns a strip, <paramref name="depth"/> rows allotted to a strip.</summary>
    public static void Strips(in MatrixView view, int row0, int rows, int column0, int columns, int width, int depth, float* destination)
    {
        for (int r = 0; r < rows; r++)
        {
            // Positions inside the strips: `at` points to the row of the present strip, `lane` to the next free place in it.
            float* at = destination + ((nint)r * width);
            int lane = 0;
            for (int done = 0; done < columns;)
            {
                int segment = (column0 + done) / view.SegmentWidth;
                int inside = column0 + done - (segment * view.SegmentWidth);
                int take = Math.Min(view.SegmentWidth - inside, columns - done);
                float* from = view.Segment(row0 + r, segment);
                from = from == null ? null : from + inside;
                done += take;
                if (r + RowsAhead < rows)
                {
                    Fetch(view.Segment(row0 + r + RowsAhead, segment), inside, take);
                }

                while (take > 0)
                {
                    int here = Math.Min(width - lane, take);
                    CopyOrClear(from, at + lane, here);
                    from = from == null ? null : from + here;
                    take -= here;
                    lane += here;
                    if (lane == width)
                    {
                        at += (nint)depth * width;
                        lane = 0;
                    }
                }
            }

            for (; lane > 0 && lane < width; lane++)
            {
                at[lane] = 0f;
            }
        }
    }

    /// <summary>
    /// Rows as columns: out[strip][column][row], <paramref name="width"/> rows of the view a strip, <paramref name="depth"/> columns
    /// allotted to a strip.
    /// </summary>
    public static void TransposedStrips(in MatrixView view, int row0, int rows, int column0, int columns, int width, int depth, float* destination)
    {
        float** from = stackalloc float*[4];
        for (int strip = 0; strip < rows; strip += width)
        {
            float* panel = destination + ((nint)strip * depth);
            for (int r = 0; r < width; r += 4)
            {
                int column = 0;
                while (column < columns)
                {
                    int segment = (column0 + column) / view.SegmentWidth;
                    int inside = column0 + column - (segment * view.SegmentWidth);
                    int take = Math.Min(view.SegmentWidth - inside, columns - column);
                    for (int q = 0; q < 4; q++)
                    {
                        float* source = strip + r + q < rows ? view.Segment(row0 + strip + r + q, segment) : null;
                        from[q] = source == null ? null : source + inside;
                    }

                    Transpose4(from, take, panel + ((nint)column * width) + r, width);
                    column += take;
                }
            }
        }
    }

    private static void CopyColumns(in MatrixView view, int row, int column0, int columns, float* to)
    {
        int segment = column0 / view.SegmentWidth;
        int inside = column0 - (segment * view.SegmentWidth);
        while (columns > 0)
        {
            int take = Math.Min(view.SegmentWidth - inside, columns);
            float* from = view.Segment(row, segment);
            CopyOrClear(from == null ? null : from + inside, to, take);
            to += take;
            columns -= take;
            inside = 0;
            segment++;
        }
    }

    /// <summary>Asks for what will be read soon; null is nothing.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Fetch(float* segment, int from, int count)
    {
        if (Sse.IsSupported && segment != null)
        {
            for (int i = 0; i < count; i += 16)
            {
                Sse.Prefetch0(segment + from + i);
            }
        }
    }

    /// <summary>A copy, or zeros where there is nothing to copy from.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void CopyOrClear(float* from, float* to, int count)
    {
        if (from == null)
        {
            NativeMemory.Clear(to, (nuint)count * sizeof(float));
            return;
        }

        // Whole strips are 32 or 12 (16 or 6) elements: the steps below copy those without a scalar tail.
        int i = 0;
        for (; i <= count - 16; i += 16)
        {
            Vector512.Load(from + i).Store(to + i);
        }

        if (i <= count - 8)
        {
            Vector256.Load(from + i).Store(to + i);
            i += 8;
        }

        if (i <= count - 4)
        {
            Vector128.Load(from + i).Store(to + i);
            i += 4;
        }

        for (; i < count; i++)
        {
            to[i] = from[i];
        }
    }

    /// <summary>Four rows as columns: out[i][row], <paramref name="stride"/> elements from i to i + 1; a row that is null reads zeros.</summary>
    public static void Transpose4(float** from, int count, float* to, int stride)
    {
        float* a = from[0], b = from[1], c = from[2], d = from[3];
        int i = 0;
        if (Sse.IsSupported && a != null && b != null && c != null && d != null)
        {
            for (; i <= count - 4; i += 4)
            {
                var (va, vb, vc, vd) = (Vector128.Load(a + i), Vector128.Load(b + i), Vector128.Load(c + i), Vector128.Load(d + i));
                var (lowAb, highAb) = (Sse.UnpackLow(va, vb), Sse.UnpackHigh(va, vb));
                var (lowCd, highCd) = (Sse.UnpackLow(vc, vd), Sse.UnpackHigh(vc, vd));
                float* at = to + ((nint)i * stride);
                Sse.MoveLowToHigh(lowAb, lowCd).Store(at);
                Sse.MoveHighToLow(lowCd, lowAb).Store(at + stride);
                Sse.MoveLowToHigh(highAb, highCd).Store(at + (2 * (nint)stride));
                Sse.MoveHighToLow(highCd, highAb).Store(at + (3 * (nint)stride));
            }
        }

        for (; i < count; i++)
        {
            float* at = to + ((nint)i * stride);
            at[0] = a == null ? 0f : a[i];
            at[1] = b == null ? 0f : b[i];
            at[2] = c == null ? 0f : c[i];
            at[3] = d == null ? 0f : d[i];
        }
    }
}
