using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>Options of <see cref="PseudoLabels"/>; the defaults are those of the published recipe.</summary>
public sealed record PseudoLabelOptions
{
    /// <summary>Labels to end with, 1 to the number of centroids that have rows; 7,500 in the recipe for VoxCeleb2.</summary>
    public int Clusters { get; init; } = 7500;

    /// <summary>How centroids are joined.</summary>
    public Linkage Linkage { get; init; } = Linkage.Ward;

    /// <summary>Scale centroids to unit length first: right for cosine k-means, as in the recipe.</summary>
    public bool UnitLength { get; init; } = true;

    /// <summary>Let a centroid weigh as much as it has rows; the recipe gives all the same weight.</summary>
    public bool Weighted { get; init; }

    /// <summary>Threads; 0 for one per processor. The result does not depend on it.</summary>
    public int Threads { get; init; }
}

/// <summary>
/// The pseudo-label recipe: far more k-means clusters than there are speakers (50,000), joined by Ward's method on their centroids
/// to a plausible number of speakers (7,500); every row takes the label of its centroid.
/// </summary>
/// <remarks>
/// k-means finds small pure groups in many points, and the tree joins them without the bias of k-means to round clusters of equal
/// size. A centroid without rows takes no part in it.
/// </remarks>
public sealed class PseudoLabels
{
    private PseudoLabels(int[] labels, int[] centroidLabels, int clusters, Dendrogram dendrogram)
    {
        Labels = labels;
        CentroidLabels = centroidLabels;
        Clusters = clusters;
        Dendrogram = dendrogram;
    }

    /// <summary>Label of each row, 0 to Clusters − 1; every label occurs.</summary>
    public int[] Labels { get; }

    /// <summary>Label of each centroid, −1 for one without rows.</summary>
    public int[] CentroidLabels { get; }

    /// <summary>Number of labels.</summary>
    public int Clusters { get; }

    /// <summary>The tree over the centroids that have rows, in their order.</summary>
    public Dendrogram Dendrogram { get; }

    /// <summary>Joins the clusters of a k-means result.</summary>
    /// <param name="centroids">Row-major [K, D] centroids, finite.</param>
    /// <param name="dimension">D, above 0.</param>
    /// <param name="labels">Centroid of each row, 0 to K − 1.</param>
    /// <param name="options">Options; defaults if null.</param>
    /// <param name="cancellation">Ends the computation early.</param>
    /// <returns>The labels.</returns>
    /// <exception cref="ShapeException">The values are no centroids of that dimension, or there are no labels.</exception>
    /// <exception cref="NonFiniteException">A centroid holds a NaN or an infinity.</exception>
    /// <exception cref="InvalidOptionException">A label names no centroid, or an option is out of range.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static PseudoLabels FromCentroids(
        ReadOnlySpan<float> centroids, int dimension, ReadOnlySpan<int> labels, PseudoLabelOptions? options = null, CancellationToken cancellation = default)
    {
        options ??= new PseudoLabelOptions();
        int[] counts = Counts(labels, Points.Count(centroids, dimension, "centroids"));
        int[] used = [.. Enumerable.Range(0, counts.Length).Where(k => counts[k] > 0)];
        if (options.Clusters < 1 || options.Clusters > used.Length)
        {
            throw new InvalidOptionException($"clusters = {options.Clusters}: allowed are 1 to the number of centroids that have rows, {used.Length}.");
        }

        float[] rows = new float[used.Length * dimension];
        for (int i = 0; i < used.Length; i++)
        {
            var from = centroids.Slice(used[i] * dimension, dimension);
            var to = rows.AsSpan(i * dimension, dimension);
            if (options.UnitLength)
            {
                PointTiles.Normalize(from, to);
            }
            else
            {
                from.CopyTo(to);
            }
        }

        var tree = Agglomerative.Fit(
            rows,
            dimension,
            new AgglomerativeOptions { Linkage = options.Linkage, Threads = options.Threads },
            options.Weighted ? [.. used.Select(k => counts[k])] : [],
            progress: null,
            cancellation);
        int[] cut = tree.Cut(options.Clusters), centroidLabels = new int[counts.Length], rowLabels = new int[labels.Length];
        Array.Fill(centroidLabels, -1);
        for (int i = 0; i < used.Length; i++)
        {
            centroidLabels[used[i]] = cut[i];
        }

        for (int i = 0; i < rowLabels.Length; i++)
        {
            rowLabels[i] = centroidLabels[labels[i]];
        }

        return new PseudoLabels(rowLabels, centroidLabels, options.Clusters, tree);
    }

    private static int[] Counts(ReadOnlySpan<int> labels, int centroids)
    {
        if (labels.IsEmpty)
        {
            throw new ShapeException("0 labels: there must be one a row, and at least one row.");
        }

        int[] counts = new int[centroids];
        for (int i = 0; i < labels.Length; i++)
        {
            if ((uint)labels[i] >= (uint)centroids)
            {
                throw new InvalidOptionException($"the label of row {i} is {labels[i]}: labels are numbers of centroids, 0 to {centroids - 1}.");
            }

            counts[labels[i]]++;
        }

        return counts;
    }
}
