using System.Runtime.InteropServices;
using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Encoder;

public static unsafe partial class Conv2d
{
    /// <summary>Some rows and columns of one item's result: the work of one task.</summary>
    private readonly record struct Patch(int Item, int Row, int Rows, int Column, int Columns);

    /// <summary>
    /// The results of a correlation in patches whose source, zeros beyond the borders included, stays in a second-level cache while it is
    /// read from every tap. That copy makes windows of neighbouring columns overlapping runs at one distance, so that the product reads
    /// them in place.
    /// </summary>
    private struct Patches
    {
        // Elements of a patch's source: 256 KiB.
        private const int MostElements = 64 << 10;

        // Narrower patches would copy mostly what their neighbours copy too.
        private const int FewestColumns = 48;

        // Tasks wanted of a small batch, and the chunks of a weight gradient: a constant, so that bits follow from the shape.
        public const int WantedTasks = 16;

        public int Count;

        /// <summary>Elements from a row of the copy to the next, and of the whole copy with what the last tile reads beyond it.</summary>
        public int Pitch, Elements;

        private int _rows, _columns, _rowsEach, _columnsEach, _rowPieces, _columnPieces;

        public static Patches Of(in Correlation map)
        {
            long wide = (((map.Columns - 1L) * map.StrideWidth) + map.TapsWidth) * map.Channels * Math.Max(1, map.TapsHeight);
            int columnsEach = Math.Clamp((int)(map.Columns / ((wide + MostElements - 1) / MostElements)), Math.Min(FewestColumns, map.Columns), map.Columns);
            var patches = new Patches { _rows = map.Rows, _columns = map.Columns, _columnsEach = columnsEach };
            patches.Pitch = (((columnsEach - 1) * map.StrideWidth) + map.TapsWidth) * map.Channels;
            patches._columnPieces = DivideUp(map.Columns, columnsEach);
            int rowsEach = Math.Clamp((((MostElements / Math.Max(1, patches.Pitch)) - map.TapsHeight) / map.StrideHeight) + 1, 1, map.Rows);
            int wanted = DivideUp(WantedTasks, Math.Max(1, map.Batch * patches._columnPieces));
            patches._rowsEach = DivideUp(map.Rows, Math.Min(map.Rows, Math.Max(wanted, DivideUp(map.Rows, rowsEach))));
            patches._rowPieces = DivideUp(map.Rows, patches._rowsEach);
            patches.Count = map.Batch * patches._rowPieces * patches._columnPieces;
            int rowsOfSource = ((patches._rowsEach - 1) * map.StrideHeight) + map.TapsHeight;
            patches.Elements = (rowsOfSource * patches.Pitch) + (StridedProduct.Height * map.StrideWidth * map.Channels);
            return patches;
        }

        public readonly Patch At(int index)
        {
            int column = index % _columnPieces * _columnsEach, row = index / _columnPieces % _rowPieces * _rowsEach;
            return new Patch(
                index / _columnPieces / _rowPieces, row, Math.Min(_rowsEach, _rows - row), column, Math.Min(_columnsEach, _columns - column));
        }

        /// <summary>Copies what a patch reads: rows <see cref="Pitch"/> elements apart, zeros outside the source.</summary>
        public readonly void Copy(in Correlation map, in Patch patch, float* to)
        {
            int rows = ((patch.Rows - 1) * map.StrideHeight) + map.TapsHeight, columns = ((patch.Columns - 1) * map.StrideWidth) + map.TapsWidth;
            int left = map.Left + (patch.Column * map.StrideWidth);
            int before = Math.Clamp(-left, 0, columns), end = Math.Clamp(map.Width - left, before, columns);
            for (int row = 0; row < rows; row++, to += Pitch)
            {
                if (row % map.StrideHeight >= map.TapsHeight)
                {
                    continue; // Between windows.
                }

                int h = map.Top + (patch.Row * map.StrideHeight) + row;
                bool inside = (uint)h < (uint)map.Height;
                int first = inside ? before : columns, last = inside ? end : columns;
                NativeMemory.Clear(to, (nuint)(first * map.Channels) * sizeof(float));
                if (last > first)
                {
                    nint position = (((nint)patch.Item * map.Height) + h) * map.Width;
                    CopyColumns(map.Source + ((position + left + first) * map.SourceStride), map, last - first, to + (first * map.Channels));
                }

                NativeMemory.Clear(to + (last * map.Channels), (nuint)((columns - last) * map.Channels) * sizeof(float));
            }
        }

        private static void CopyColumns(float* from, in Correlation map, int columns, float* to)
        {
            if (map.SourceStride == map.Channels)
            {
                NativeMemory.Copy(from, to, (nuint)(columns * map.Channels) * sizeof(float));
                return;
            }

            for (int column = 0; column < columns; column++)
            {
                NativeMemory.Copy(from + (column * map.SourceStride), to + (column * map.Channels), (nuint)map.Channels * sizeof(float));
            }
        }

        private static int DivideUp(int value, int by) => (value + by - 1) / by;
    }
}
