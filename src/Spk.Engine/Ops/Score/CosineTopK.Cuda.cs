using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Score;

public static unsafe partial class CosineTopK
{
    private const string CudaSource = "score/cosine_top_k";
    private const int CudaThreads = 256;

    private static readonly KernelId MergeKernel = new(CudaSource, "cosine_top_k_merge");

    private static void CudaForward(CudaDevice cuda, Tensor queries, Tensor keys, Tensor cosines, Tensor indices)
    {
        int rows = queries.Shape[0], width = queries.Shape[1], count = keys.Shape[0], neighbours = cosines.Shape[1];
        if (rows == 0)
        {
            return;
        }

        if (neighbours <= MostSearched)
        {
            CudaSearch(cuda, queries, keys, cosines, indices);
            return;
        }

        // Lists of hundreds for each of its rows are too long for a block's shared memory beside the operands: cosines go through memory.
        var (rowsAtOnce, keysAtOnce) = Tiles(rows, count);
        var tile = cuda.Workspace.Rent(new Shape(rowsAtOnce, keysAtOnce));
        for (int firstRow = 0; firstRow < rows; firstRow += rowsAtOnce)
        {
            int someRows = Math.Min(rowsAtOnce, rows - firstRow);
            for (int firstKey = 0; firstKey < count; firstKey += keysAtOnce)
            {
                int someKeys = Math.Min(keysAtOnce, count - firstKey);
                CudaGemm.Multiply(
                    cuda,
                    MatrixView.Of(queries.Data + ((nint)firstRow * queries.RowStride), someRows, width, queries.RowStride),
                    MatrixView.Of(keys.Data + ((nint)firstKey * keys.RowStride), someKeys, width, keys.RowStride).Transposed,
                    tile.Data,
                    keysAtOnce,
                    accumulate: false);
                cuda.Launch(
                    MergeKernel, new LaunchShape(someRows, CudaThreads), tile.Address, keysAtOnce, someKeys, firstKey, neighbours,
                    cosines.Address + ((nint)firstRow * neighbours * sizeof(float)), indices.Address + ((nint)firstRow * neighbours * sizeof(int)));
            }
        }
    }
}
