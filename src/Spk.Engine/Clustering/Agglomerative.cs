using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// Agglomerative hierarchical clustering of points, or of centroids that stand for many points: the two nearest clusters become
/// one until one is left. O(N²) time and 2N² bytes of memory, so up to some ten thousand rows; beyond, run k-means first and
/// cluster its centroids (<see cref="PseudoLabels"/>).
/// </summary>
/// <remarks>
/// Nearest-neighbour chains with the update of Lance and Williams (Murtagh, "A survey of recent advances in hierarchical clustering
/// algorithms", 1983; Müllner, arXiv:1109.2378). Distances are kept in f32 and updated in f64. Equal distances prefer the lowest
/// row. The result does not depend on the number of threads.
/// </remarks>
public static class Agglomerative
{
    /// <summary>Builds the tree.</summary>
    /// <param name="rows">Row-major [N, D], finite, N at least 1.</param>
    /// <param name="dimension">D, above 0.</param>
    /// <param name="options">Linkage and distance; Ward and Euclidean if null.</param>
    /// <param name="counts">How many points each row stands for, at least 1; empty for 1 each.</param>
    /// <param name="progress">Receives the share of merges done, about a hundred times.</param>
    /// <param name="cancellation">Ends the computation early.</param>
    /// <returns>The tree; <see cref="Dendrogram.Cut"/> gives labels.</returns>
    /// <exception cref="ShapeException">The values are no rows of that dimension, or there is not one count a row.</exception>
    /// <exception cref="NonFiniteException">A value is a NaN or an infinity (the message names the row), or a squared distance overflows f32.</exception>
    /// <exception cref="InvalidOptionException">An option or a count is out of range, or Ward is asked for with cosine distances.</exception>
    /// <exception cref="SpkException">The distances do not fit into memory.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Dendrogram Fit(
        ReadOnlySpan<float> rows, int dimension, AgglomerativeOptions? options = null, ReadOnlySpan<int> counts = default,
        IProgress<double>? progress = null, CancellationToken cancellation = default)
    {
        options ??= new AgglomerativeOptions();
        int count = Points.Count(rows, dimension);
        var parallel = Threads.Options(options.Threads, cancellation);
        bool ward = options.Linkage == Linkage.Ward;
        if (ward && options.Metric != ClusterMetric.Euclidean)
        {
            throw new InvalidOptionException($"linkage = Ward with metric = {options.Metric}: Ward needs Euclidean distances; scale the rows to unit length first.");
        }

        long[] sizes = Sizes(counts, count);
        using var distances = new CondensedDistances(count);
        using (var tiles = new PointTiles(rows, dimension, [], options.Metric))
        {
            // The loop body reports rather than throws: of several failures the first by row is the one to name.
            var overflows = new (int First, int Second)?[tiles.Tiles];
            Parallel.For(0, tiles.Tiles, parallel, tile => overflows[tile] = Measure(tiles, tile, ward ? sizes : null, distances));
            if (Array.Find(overflows, pair => pair is not null) is { } pair)
            {
                throw new NonFiniteException($"the distance of rows {pair.First} and {pair.Second} overflows single precision: scale the rows down first.");
            }
        }

        var chain = new NeighbourChain(distances, sizes, ward, parallel);
        var merges = chain.Run(done => progress?.Report(done));
        return new Dendrogram(count, Sort(merges, count, sizes));
    }

    private static long[] Sizes(ReadOnlySpan<int> counts, int rows)
    {
        if (!counts.IsEmpty && counts.Length != rows)
        {
            throw new ShapeException($"{counts.Length} counts for {rows} rows: there must be one a row.");
        }

        long[] sizes = new long[rows];
        for (int i = 0; i < rows; i++)
        {
            sizes[i] = counts.IsEmpty ? 1 : counts[i];
            if (sizes[i] < 1)
            {
                throw new InvalidOptionException($"the count of row {i} is {sizes[i]}: every row must stand for at least 1 point; leave empty clusters out.");
            }
        }

        return sizes;
    }

    // Distances of a tile's points to all later ones; with sizes, those of Ward squared. Returns a pair that overflows, if any.
    private static unsafe (int First, int Second)? Measure(PointTiles tiles, int tile, long[]? sizes, CondensedDistances distances)
    {
        const int Width = PointTiles.Width, Group = PointTiles.Group;
        float* block = stackalloc float[Group * Width];
        for (int first = tile * Width; first < Math.Min(tiles.Count, (tile + 1) * Width); first += Group)
        {
            for (int other = tile; other < tiles.Tiles; other++)
            {
                if (sizes is null)
                {
                    tiles.Distances(first, other, block);
                }
                else
                {
                    tiles.SquaredDistances(first, other, block);
                }

                for (int i = first; i < Math.Min(tiles.Count, first + Group); i++)
                {
                    float* to = distances.Row(i);
                    float* from = block + ((i - first) * Width) - (other * Width);
                    for (int j = Math.Max(i + 1, other * Width); j < Math.Min(tiles.Count, (other + 1) * Width); j++)
                    {
                        float value = sizes is null ? from[j] : (float)(from[j] * (2.0 * sizes[i] * sizes[j] / (sizes[i] + sizes[j])));
                        if (!float.IsFinite(value))
                        {
                            return (i, j);
                        }

                        to[j] = value;
                    }
                }
            }
        }

        return null;
    }

    // The chain finds merges out of order; their heights never fall along a branch, so a stable sort keeps children before parents.
    private static Merge[] Sort(List<(int First, int Second, double Height)> merges, int leaves, long[] leafSizes)
    {
        int[] parent = new int[leaves], name = new int[leaves];
        long[] size = new long[leaves];
        for (int i = 0; i < leaves; i++)
        {
            (parent[i], name[i], size[i]) = (i, i, leafSizes[i]);
        }

        int Root(int i)
        {
            while (parent[i] != i)
            {
                parent[i] = parent[parent[i]];
                i = parent[i];
            }

            return i;
        }

        var sorted = new Merge[merges.Count];
        int step = 0;
        foreach (var (first, second, height) in merges.OrderBy(m => m.Height))
        {
            int a = Root(first), b = Root(second);
            parent[b] = a;
            size[a] += size[b];
            sorted[step] = new Merge(Math.Min(name[a], name[b]), Math.Max(name[a], name[b]), height, size[a]);
            name[a] = leaves + step++;
        }

        return sorted;
    }
}
