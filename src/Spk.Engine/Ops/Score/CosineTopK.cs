using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Score;

/// <summary>The nearest neighbours of every row by cosine, without ever holding the whole matrix of cosines.</summary>
public static partial class CosineTopK
{
    /// <summary>Most neighbours of a row.</summary>
    public const int MaximumNeighbours = 1024;

    // Cosines held at a time, 64 MiB.
    private const int CosinesAtOnce = 16 << 20;

    // Keys looked at together, as far as the number of rows allows.
    private const int MostKeysAtOnce = 8192, FewestKeysAtOnce = 1024;

    // Elements by which rows of a rounded copy grow at most.
    private const int Padding = 7;

    /// <summary>Finds them.</summary>
    /// <param name="queries">f32 [N, D]; need not be unit rows.</param>
    /// <param name="keys">f32 [M, D] on the same device; need not be unit rows. A row of zeros has cosine 0 with everything.</param>
    /// <param name="neighbours">k, 1 to the smaller of M and <see cref="MaximumNeighbours"/>.</param>
    /// <returns>Cosines, f32 [N, k], in descending order, and the rows of keys they belong to, i32 [N, k]; of equal cosines the lower row comes first.</returns>
    /// <exception cref="ShapeException">The shapes do not fit each other.</exception>
    /// <exception cref="InvalidOptionException">k is out of range.</exception>
    public static (Tensor Cosines, Tensor Indices) Forward(Tensor queries, Tensor keys, int neighbours)
    {
        ArgumentNullException.ThrowIfNull(queries);
        ArgumentNullException.ThrowIfNull(keys);
        if (queries.Shape.Rank != 2 || keys.Shape.Rank != 2 || queries.Shape[1] != keys.Shape[1])
        {
            throw new ShapeException($"Neighbours by cosine need queries [N, D] and keys [M, D], not {queries.Shape} and {keys.Shape}.");
        }

        int rows = queries.Shape[0], most = Math.Min(keys.Shape[0], MaximumNeighbours);
        if (neighbours < 1 || neighbours > most)
        {
            throw new InvalidOptionException($"{neighbours} neighbours were asked of {keys.Shape[0]} rows: allowed are 1 to {most}.");
        }

        var workspace = queries.Device.Workspace;
        var cosines = workspace.Rent(new Shape(rows, neighbours));
        var indices = workspace.Rent(new Shape(rows, neighbours), ElementType.Int32);
        var unitQueries = L2Normalize.Forward(null, queries);
        var unitKeys = ReferenceEquals(queries, keys) ? unitQueries : L2Normalize.Forward(null, keys);
        if (queries.Device is CudaDevice cuda)
        {
            CudaForward(cuda, unitQueries, unitKeys, cosines, indices);
        }
        else
        {
            CpuForward(Cpu.Of(queries.Device), unitQueries, unitKeys, cosines, indices);
        }

        return (cosines, indices);
    }

    /// <summary>Most memory that a search takes beside unit rows and its result, bytes: cosines at a time, or lists of parts, and copies rounded for Hopper.</summary>
    /// <param name="rows">Of queries and keys together.</param>
    /// <param name="width">D.</param>
    internal static long WorkBytes(long rows, long width) => ((long)CosinesAtOnce * sizeof(float)) + (rows * (width + Padding) * sizeof(ushort));

    private static (int Rows, int Keys) Tiles(int rows, int keys)
    {
        int keysAtOnce = Math.Min(keys, Math.Clamp(CosinesAtOnce / Math.Max(1, rows), FewestKeysAtOnce, MostKeysAtOnce));
        return (Math.Max(1, Math.Min(rows, CosinesAtOnce / keysAtOnce)), keysAtOnce);
    }
}
