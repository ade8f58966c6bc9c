using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Score;

public static unsafe partial class CosineTopK
{
    private const int RowsPerTask = 16;

    // Room for scores that wait beside a short list.
    private const int LeastRoom = 256;

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
                    IsLast = firstKey + someKeys == count,
                    Workers = device.WorkersHandle,
                };
                device.Workers.For((someRows + RowsPerTask - 1) / RowsPerTask, ref body);
            }
        }
    }

    // What beats the worst of a row's list so far is gathered beside the list; whenever the room is full, a selection throws the worse
    // part away. An insertion into a sorted list of hundreds would cost many times the product that made the scores.
    private struct SelectBody : IParallelBody
    {
        public float* Tile, Cosines;
        public int* Indices;
        public int TileStride, Neighbours, Rows, FirstKey, Keys;
        public bool IsLast;
        public nint Workers;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int room = Neighbours + Math.Max(Neighbours, LeastRoom);
            var pool = (WorkerPool)GCHandle.FromIntPtr(Workers).Target!;
            var ranks = new Span<ulong>(pool.Scratch(worker, (nuint)room * sizeof(ulong)), room);
            int end = Math.Min(Rows, (index + 1) * RowsPerTask);
            for (int row = index * RowsPerTask; row < end; row++)
            {
                Merge(Tile + ((nint)row * TileStride), Cosines + ((nint)row * Neighbours), Indices + ((nint)row * Neighbours), ranks);
            }
        }

        private readonly void Merge(float* scores, float* best, int* which, Span<ulong> ranks)
        {
            int count = Math.Min(FirstKey, Neighbours);
            ulong worst = 0;
            for (int i = 0; i < count; i++)
            {
                ranks[i] = CosineRank.Of(best[i], which[i]);
                worst = Math.Max(worst, ranks[i]);
            }

            // Not a number as long as the list is not full: everything is then "not at or below it".
            float floor = count == Neighbours ? CosineRank.Score(worst) : float.NaN;
            int at = 0;
            for (; at <= Keys - Vector512<float>.Count; at += Vector512<float>.Count)
            {
                ulong beats = ~Vector512.LessThanOrEqual(Vector512.Load(scores + at), Vector512.Create(floor)).ExtractMostSignificantBits() & 0xffff;
                if (beats == 0)
                {
                    continue;
                }

                if (count > ranks.Length - Vector512<float>.Count)
                {
                    floor = Shrink(ranks, ref count);
                }

                for (; beats != 0; beats &= beats - 1)
                {
                    int key = at + BitOperations.TrailingZeroCount(beats);
                    ranks[count++] = CosineRank.Of(scores[key], FirstKey + key);
                }
            }

            for (; at < Keys; at++)
            {
                if (!(scores[at] <= floor))
                {
                    if (count == ranks.Length)
                    {
                        floor = Shrink(ranks, ref count);
                    }

                    ranks[count++] = CosineRank.Of(scores[at], FirstKey + at);
                }
            }

            if (count > Neighbours)
            {
                Shrink(ranks, ref count);
            }

            if (IsLast)
            {
                ranks[..count].Sort();
            }

            for (int i = 0; i < count; i++)
            {
                best[i] = CosineRank.Score(ranks[i]);
                which[i] = CosineRank.Index(ranks[i]);
            }
        }

        // Leaves the best, in any order, and returns the score of the worst of them.
        private readonly float Shrink(Span<ulong> ranks, ref int count)
        {
            CosineRank.Select(ranks[..count], Neighbours);
            count = Neighbours;
            return CosineRank.Score(ranks[Neighbours - 1]);
        }
    }
}
