using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Score;

public static unsafe partial class CosineTopK
{
    private const int RowsPerTask = 16;

    private static void CpuForward(CpuDevice device, Tensor queries, Tensor keys, Tensor cosines, Tensor indices)
    {
        int rows = queries.Shape[0], width = queries.Shape[1], count = keys.Shape[0], neighbours = cosines.Shape[1];
        var (rowsAtOnce, keysAtOnce) = Tiles(rows, count);
        var tile = device.Workspace.Rent(new Shape(rowsAtOnce, keysAtOnce));
        for (int firstRow = 0; firstRow < rows; firstRow += rowsAtOnce)
        {
            int someRows = Math.Min(rowsAtOnce, rows - firstRow);
            for (int firstKey = 0; firstKey < count; firstKey += keysAtOnce)
            {
                int someKeys = Math.Min(keysAtOnce, count - firstKey);
                Gemm.Multiply(
                    device,
                    MatrixView.Of(queries.Row(firstRow), someRows, width, queries.RowStride),
                    MatrixView.Of(keys.Row(firstKey), someKeys, width, keys.RowStride).Transposed,
                    tile.Data,
                    keysAtOnce,
                    accumulate: false);
                var body = new SelectBody
                {
                    Tile = tile.Data,
                    TileStride = keysAtOnce,
                    Cosines = cosines.Data + ((nint)firstRow * neighbours),
                    Indices = indices.IntData + ((nint)firstRow * neighbours),
                    Neighbours = neighbours,
                    Rows = someRows,
                    FirstKey = firstKey,
                    Keys = someKeys,
                };
                device.Workers.For((someRows + RowsPerTask - 1) / RowsPerTask, ref body);
            }
        }
    }

    // Keys come in ascending order, so among equals the one that is there already stays ahead.
    private struct SelectBody : IParallelBody
    {
        public float* Tile, Cosines;
        public int* Indices;
        public int TileStride, Neighbours, Rows, FirstKey, Keys;

        public readonly void Run(int index, int worker)
        {
            int end = Math.Min(Rows, (index + 1) * RowsPerTask);
            for (int row = index * RowsPerTask; row < end; row++)
            {
                float* scores = Tile + ((nint)row * TileStride);
                float* best = Cosines + ((nint)row * Neighbours);
                int* which = Indices + ((nint)row * Neighbours);
                int held = Math.Min(FirstKey, Neighbours);
                for (int i = 0; i < Keys; i++)
                {
                    if (held == Neighbours && !(scores[i] > best[held - 1]))
                    {
                        continue;
                    }

                    int at = held < Neighbours ? held++ : held - 1;
                    for (; at > 0 && scores[i] > best[at - 1]; at--)
                    {
                        best[at] = best[at - 1];
                        which[at] = which[at - 1];
                    }

                    best[at] = scores[i];
                    which[at] = FirstKey + i;
                }
            }
        }
    }
}
