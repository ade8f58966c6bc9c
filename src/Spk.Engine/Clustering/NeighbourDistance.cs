using Spk.Engine.Ops.Score;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>Distance of every row to its k-th nearest other row, in blocks: no N × N matrix is stored.</summary>
internal static class NeighbourDistance
{
    /// <summary>Computes them once; what it needs in between is given back.</summary>
    /// <param name="rows">f32 [N, D] on a device, N of 2 or more.</param>
    /// <param name="neighbour">k, 1 or more; N − 1 where there are fewer.</param>
    /// <param name="unitLength">Whether rows have unit length.</param>
    /// <returns>f32 [N].</returns>
    public static Tensor Of(Tensor rows, int neighbour, bool unitLength)
    {
        var workspace = rows.Device.Workspace;
        int count = rows.Shape[0], k = Math.Min(Math.Min(neighbour, count - 1) + 1, CosineTopK.MaximumNeighbours);
        var result = workspace.Rent(new Shape(count));
        var mark = workspace.Position;
        var distances = new float[count];
        if (unitLength)
        {
            // The row itself is among the k nearest.
            var cosines = new float[(long)count * k];
            CosineTopK.Forward(rows, rows, k).Cosines.CopyTo(cosines);
            for (int i = 0; i < count; i++)
            {
                distances[i] = MathF.Sqrt(Math.Max(0, 2 - (2 * cosines[(i * k) + k - 1])));
            }
        }
        else
        {
            Euclidean(rows, k, distances);
        }

        result.CopyFrom(distances);
        workspace.Advance(mark);
        return result;
    }

    // Of queries (x, −s, 0) and keys (y, ‖y‖²/2s, rest), where the rest makes all keys equally long, the cosine rises with x·y − ‖y‖²/2, and so falls
    // with the distance. Rows are centred first, which keeps digits.
    private static void Euclidean(Tensor rows, int k, float[] distances)
    {
        int count = rows.Shape[0], dimension = rows.Shape[1], width = dimension + 2;
        var values = new float[rows.Count];
        rows.CopyTo(values);
        var mean = new double[dimension];
        for (int i = 0; i < values.Length; i++)
        {
            mean[i % dimension] += values[i] / (double)count;
        }

        var squares = new double[count];
        for (int i = 0; i < values.Length; i++)
        {
            values[i] = (float)(values[i] - mean[i % dimension]);
            squares[i / dimension] += (double)values[i] * values[i];
        }

        // s of the size of a row balances the coordinates.
        double scale = Math.Sqrt(Math.Max(squares.Max(), 1e-30)), longest = squares.Max(s => s + (s * s / (4 * scale * scale)));
        var (queries, keys) = (new float[(long)count * width], new float[(long)count * width]);
        for (int i = 0; i < count; i++)
        {
            values.AsSpan(i * dimension, dimension).CopyTo(queries.AsSpan(i * width));
            values.AsSpan(i * dimension, dimension).CopyTo(keys.AsSpan(i * width));
            double height = squares[i] / (2 * scale);
            queries[(i * width) + dimension] = (float)-scale;
            keys[(i * width) + dimension] = (float)height;
            keys[(i * width) + dimension + 1] = (float)Math.Sqrt(Math.Max(0, longest - squares[i] - (height * height)));
        }

        var workspace = rows.Device.Workspace;
        var (q, y) = (workspace.Rent(new Shape(count, width)), workspace.Rent(new Shape(count, width)));
        q.CopyFrom(queries);
        y.CopyFrom(keys);
        int[] nearest = new int[(long)count * k];
        CosineTopK.Forward(q, y, k).Indices.CopyIntsTo(nearest);
        for (int i = 0; i < count; i++)
        {
            int other = nearest[(i * k) + k - 1];
            double square = 0;
            for (int d = 0; d < dimension; d++)
            {
                double difference = (double)values[(i * dimension) + d] - values[(other * dimension) + d];
                square += difference * difference;
            }

            distances[i] = (float)Math.Sqrt(square);
        }
    }
}
