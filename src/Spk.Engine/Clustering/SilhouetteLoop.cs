using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// Silhouettes of all points: points are sorted by cluster, so that while one block of rows passes over all points each cluster's
/// sum of distances is complete before the next begins, and no more than a tile of distances is ever held.
/// </summary>
internal sealed unsafe class SilhouetteLoop
{
    private readonly int[] _order;
    private readonly int[] _starts;
    private readonly PointTiles _tiles;

    private SilhouetteLoop(PointTiles tiles, int[] order, int[] starts)
    {
        _tiles = tiles;
        _order = order;
        _starts = starts;
    }

    /// <summary>The silhouettes by row.</summary>
    public static double[] Run(ReadOnlySpan<float> rows, int dimension, DenseLabels clusters, ClusterMetric metric, ParallelOptions parallel)
    {
        var (order, starts) = clusters.Group();
        using var tiles = new PointTiles(rows, dimension, order, metric);
        var loop = new SilhouetteLoop(tiles, order, starts);
        double[] result = new double[order.Length];
        Parallel.For(0, tiles.Tiles, parallel, block => loop.Block(block, result));
        for (int row = 0; row < result.Length; row++)
        {
            if (!double.IsFinite(result[row]))
            {
                throw new NonFiniteException($"the distances of row {row} overflow single precision: scale the rows down first.");
            }
        }

        return result;
    }

    private void Block(int block, double[] result)
    {
        const int Width = PointTiles.Width, Group = PointTiles.Group;
        float* distances = stackalloc float[Group * Width];
        double* current = stackalloc double[Width];
        double* own = stackalloc double[Width];
        double* nearest = stackalloc double[Width];
        int* cluster = stackalloc int[Width];
        int first = block * Width, count = Math.Min(Width, _order.Length - first);
        for (int i = 0, c = 0; i < Width; i++)
        {
            while (i < count && first + i >= _starts[c + 1])
            {
                c++;
            }

            (current[i], own[i], nearest[i], cluster[i]) = (0, 0, double.PositiveInfinity, c);
        }

        int running = 0;
        for (int tile = 0; tile < _tiles.Tiles; tile++)
        {
            int next = running;
            for (int i = 0; i < count; i += Group)
            {
                _tiles.Distances(first + i, tile, distances);
                for (int g = 0; g < Group; g++)
                {
                    next = AddSegments(distances + (g * Width), tile, running, cluster[i + g], ref current[i + g], ref own[i + g], ref nearest[i + g]);
                }
            }

            running = next;
        }

        for (int i = 0; i < count; i++)
        {
            int others = _starts[cluster[i] + 1] - _starts[cluster[i]] - 1;
            double a = others == 0 ? 0 : own[i] / others, b = nearest[i], larger = Math.Max(a, b);

            // Copies of one point in several clusters have no side to prefer.
            result[_order[first + i]] = others == 0 || larger == 0 ? 0 : (b - a) / larger;
        }
    }

    // Adds one point's distances to a tile, run by run of equal cluster, from the cluster in progress; returns the one in progress then.
    private int AddSegments(float* distances, int tile, int running, int ownCluster, ref double current, ref double own, ref double nearest)
    {
        int position = tile * PointTiles.Width, end = Math.Min(position + PointTiles.Width, _order.Length);
        float* at = distances;
        while (position < end)
        {
            int clusterEnd = _starts[running + 1], stop = Math.Min(end, clusterEnd);
            double sum = 0;
            for (; position < stop; position++)
            {
                sum += *at++;
            }

            current += sum;
            if (stop < clusterEnd)
            {
                break;
            }

            if (running == ownCluster)
            {
                own = current;
            }
            else
            {
                nearest = Math.Min(nearest, current / (clusterEnd - _starts[running]));
            }

            current = 0;
            running++;
        }

        return running;
    }
}
