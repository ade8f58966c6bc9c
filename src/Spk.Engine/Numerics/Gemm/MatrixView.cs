using System.Runtime.CompilerServices;

namespace Spk.Engine.Numerics;

/// <summary>What a window row outside the signal reads.</summary>
internal enum EdgeRows
{
    /// <summary>Zeros.</summary>
    Zero,

    /// <summary>The mirrored row; the edge row itself is not repeated.</summary>
    Reflect,
}

/// <summary>
/// A matrix as the product reads it from memory: rows of one or more segments that may lie anywhere at regular steps. A plain
/// matrix has one segment a row. The windows of a dilated convolution over [N, T, C] have one segment a tap, so that the
/// convolution is a matrix product without an unfolded copy.
/// </summary>
/// <remarks>
/// Row r has outer index o = r / Inner and inner index i = r % Inner. Column s * SegmentWidth + c reads
/// Data[o * OuterStride + (i + s * Step + Shift) * RowStride + c], where a position outside [0, Positions) follows <see cref="EdgeRows"/>.
/// </remarks>
internal unsafe struct MatrixView
{
    public float* Data;
    public int Rows;
    public int Inner;
    public nint OuterStride;
    public nint RowStride;
    public int Segments;
    public int SegmentWidth;
    public int Step;
    public int Shift;
    public int Positions;
    public EdgeRows Edge;

    /// <summary>Whether the product uses the transpose of what is described.</summary>
    public bool IsTransposed;

    /// <summary>Columns of the described matrix, before a transposition.</summary>
    public readonly int Columns => Segments * SegmentWidth;

    /// <summary>The same memory, transposed.</summary>
    public readonly MatrixView Transposed
    {
        get
        {
            var other = this;
            other.IsTransposed = !IsTransposed;
            return other;
        }
    }

    /// <summary>The same memory, every row's segments from the last to the first.</summary>
    public readonly MatrixView Reversed
    {
        get
        {
            var other = this;
            (other.Step, other.Shift) = (-Step, Shift + ((Segments - 1) * Step));
            return other;
        }
    }

    /// <summary>Rows after a transposition.</summary>
    public readonly int Height => IsTransposed ? Columns : Rows;

    /// <summary>Columns after a transposition.</summary>
    public readonly int Width => IsTransposed ? Rows : Columns;

    /// <summary>A row-major matrix.</summary>
    public static MatrixView Of(float* data, int rows, int columns, int rowStride) => new()
    {
        Data = data,
        Rows = rows,
        Inner = Math.Max(1, rows),
        RowStride = rowStride,
        Segments = 1,
        SegmentWidth = columns,
        Positions = rows,
    };

    /// <summary>Address of a row's segment, or null where it reads zeros.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly float* Segment(int row, int segment)
    {
        int outer = row / Inner;
        int position = row - (outer * Inner) + (segment * Step) + Shift;
        if ((uint)position >= (uint)Positions)
        {
            if (Edge == EdgeRows.Zero)
            {
                return null;
            }

            position = position < 0 ? -position : (2 * (Positions - 1)) - position;
        }

        return Data + (outer * OuterStride) + (position * RowStride);
    }
}
