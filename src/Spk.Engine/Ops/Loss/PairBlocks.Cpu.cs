using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Loss;

/// <summary>A block of the matrix of <see cref="PairSoftmax"/> on or below its diagonal.</summary>
internal unsafe struct PairBlock
{
    /// <summary>Rows, and columns on the diagonal, of the tiles that a task takes.</summary>
    public const int Tile = 128;

    /// <summary>Most columns.</summary>
    public const int Side = 512;

    /// <summary>Step of rows in <see cref="Values"/>: 16 more than needed, since columns of rows 2^n apart would share a few cache sets.</summary>
    public const int Stride = Side + 16;

    /// <summary>First anchor and number of anchors by row and by column. On the diagonal they are the same.</summary>
    public int Row, Rows, Column, Columns;

    /// <summary>[Rows, <see cref="Stride"/>].</summary>
    public float* Values;

    /// <summary>Whether the values stay from one walk over the blocks to the next.</summary>
    public bool IsKept;

    public readonly bool IsDiagonal => Row == Column;

    public readonly int Tiles => (Rows + Tile - 1) / Tile;

    /// <summary>Columns of a tile of rows that are computed: on the diagonal those up to the square tile at its end.</summary>
    public readonly int ColumnsOf(int tile) => IsDiagonal ? Math.Min(Columns, (tile + 1) * Tile) : Columns;

    /// <summary>Columns of a tile of rows that stand for their mirror images, too: those before the square tile on the diagonal.</summary>
    public readonly int MirroredColumnsOf(int tile) => IsDiagonal ? tile * Tile : Columns;

    /// <summary>Writes the cosines.</summary>
    public readonly void Multiply(CpuDevice cpu, in CosineProblem problem)
    {
        int width = problem.Width;
        float* rows = problem.Queries + ((nint)Row * width), columns = problem.Queries + ((nint)Column * width);
        int step = IsDiagonal ? Tile : Columns;
        for (int column = 0; column < Columns; column += step)
        {
            int row = IsDiagonal ? column : 0;
            var a = MatrixView.Of(rows + ((nint)row * width), Rows - row, width, width);
            var b = MatrixView.Of(columns + ((nint)column * width), Math.Min(step, Columns - column), width, width);
            Gemm.Multiply(cpu, a, b.Transposed, Values + ((nint)row * Stride) + column, Stride, accumulate: false);
        }
    }
}

/// <summary>
/// A walk over the blocks on and below the diagonal of the matrix of <see cref="PairSoftmax"/>, column of blocks by column of blocks. As many as fit into the
/// memory that is granted have a place of their own, the others share one: every walk meets the same blocks in the same places.
/// </summary>
internal unsafe struct PairBlocks
{
    /// <summary>Most rows of a block below the diagonal: one is 4 MiB, which the caches have room for from the product to those that use it.</summary>
    public const int Height = 2048;

    private readonly int _rows;
    private readonly long _limit;
    private float* _kept, _shared;
    private PairBlock _current;
    private long _used;

    /// <summary>Rents the memory.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="rows">Anchors.</param>
    /// <param name="limit">Elements up to which blocks are kept; no more than 2^31.</param>
    public PairBlocks(CpuDevice cpu, int rows, long limit)
    {
        (_rows, _limit) = (rows, Math.Min(limit, int.MaxValue));
        int largest = 0;
        long kept = 0;
        foreach (var block in this)
        {
            largest = block.IsKept ? largest : Math.Max(largest, block.Rows);
            kept += block.IsKept ? (long)block.Rows * PairBlock.Stride : 0;
        }

        _shared = cpu.Workspace.Rent(new Shape(largest, PairBlock.Stride)).Data;
        _kept = cpu.Workspace.Rent(new Shape((int)(kept / PairBlock.Stride), PairBlock.Stride)).Data;
    }

    public readonly PairBlock Current => _current;

    public readonly PairBlocks GetEnumerator() => this;

    public bool MoveNext()
    {
        int row = _current.Row + _current.Rows, column = _current.Column;
        if (row == _rows)
        {
            column += _current.Columns;
            row = column;
        }

        if (column == _rows)
        {
            return false;
        }

        int columns = Math.Min(PairBlock.Side, _rows - column);
        int rows = row == column ? columns : Math.Min(Height, _rows - row);
        long size = (long)rows * PairBlock.Stride;
        bool isKept = _used + size <= _limit;
        _current = new PairBlock
        {
            Row = row,
            Rows = rows,
            Column = column,
            Columns = columns,
            IsKept = isKept,
            Values = isKept ? _kept + _used : _shared,
        };
        _used += isKept ? size : 0;
        return true;
    }
}
