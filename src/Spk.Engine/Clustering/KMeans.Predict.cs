using System.Diagnostics;
using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <content>Labels of new rows, and fits over several K.</content>
public static unsafe partial class KMeans
{
    /// <summary>The nearest centroid of every row.</summary>
    /// <param name="rows">[N, D], row-major, finite.</param>
    /// <param name="dimension">D, 1 or more.</param>
    /// <param name="centroids">[K, D], K of 1 or more. Under cosine any length but 0.</param>
    /// <param name="metric">What "near" means.</param>
    /// <param name="similarities">[N], out: as <see cref="KMeansResult.OwnSimilarity"/>; empty where not wanted.</param>
    /// <param name="device">Where to compute; null for the CPU with all processors.</param>
    /// <param name="cancellation">Looked at several times a second.</param>
    /// <returns>[N], 0 to K − 1; ties go to the lowest.</returns>
    /// <exception cref="ShapeException">Lengths do not fit together.</exception>
    /// <exception cref="NonFiniteException">A row or centroid is not finite; the message names it.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static int[] Predict(
        ReadOnlySpan<float> rows,
        int dimension,
        ReadOnlySpan<float> centroids,
        ClusterMetric metric = ClusterMetric.Euclidean,
        Span<float> similarities = default,
        Device? device = null,
        CancellationToken cancellation = default)
    {
        int count = KMeansInput.Rows(rows, dimension, nameof(rows)), clusters = KMeansInput.Rows(centroids, dimension, nameof(centroids));
        if (clusters == 0)
        {
            throw new ShapeException("centroids: at least one is needed.");
        }

        if (!similarities.IsEmpty && similarities.Length != count)
        {
            throw new ShapeException($"similarities: room for {similarities.Length} values, {count} rows.");
        }

        KMeansInput.RequireFinite(rows, dimension, nameof(rows));
        var options = new KMeansOptions { Clusters = clusters, Metric = metric, Tolerance = 0 };
        RequireInitial(centroids, dimension, options);
        if (count == 0)
        {
            return [];
        }

        using var own = device is null ? OpenCpu(count, dimension, clusters) : null;
        var memory = new KMeansMemory(device ?? own!);
        try
        {
            int[] labels = new int[count];
            float[] distances = new float[count], unit = new float[centroids.Length];
            float[]? scales = Scales(rows, dimension, [], metric);
            fixed (float* rowPointer = rows, scalePointer = scales, centroidPointer = unit, distancePointer = distances)
            fixed (int* labelPointer = labels)
            {
                WriteInitial(centroids, dimension, metric, centroidPointer);
                var data = new KMeansData { Rows = rowPointer, Scales = scalePointer, Count = count, Dimension = dimension };
                using var run = new KMeansRun(options, memory, data, Stopwatch.GetTimestamp(), null, cancellation);
                run.Label(centroidPointer, labelPointer, distancePointer);
                for (int i = 0; i < similarities.Length; i++)
                {
                    similarities[i] = metric == ClusterMetric.Euclidean ? -distances[i] : Similarity(data, i, 1f, distances[i]);
                }
            }

            return labels;
        }
        finally
        {
            memory.Release();
        }
    }

    /// <summary>Clusters the same rows with several K, to choose one.</summary>
    /// <param name="rows">[N, D], row-major, finite.</param>
    /// <param name="dimension">D.</param>
    /// <param name="clusters">The K to try; each is fitted as <c>Fit</c> alone would.</param>
    /// <param name="options">For all of them; <see cref="KMeansOptions.Clusters"/> comes from the list.</param>
    /// <param name="score">Scores of one clustering, such as silhouette, Calinski-Harabasz and Davies-Bouldin; null for none.</param>
    /// <param name="weights">[N] or empty.</param>
    /// <param name="device">Where to compute; null for the CPU with all processors.</param>
    /// <param name="cancellation">Looked at several times a second.</param>
    /// <returns>One point a K, in the order given.</returns>
    /// <inheritdoc cref="Fit(ReadOnlySpan{float}, int, KMeansOptions, ReadOnlySpan{float}, ReadOnlySpan{float}, Device, IProgress{KMeansProgress}, CancellationToken)" path="/exception"/>
    public static IReadOnlyList<KMeansSweepPoint> SweepK(
        ReadOnlySpan<float> rows,
        int dimension,
        IReadOnlyList<int> clusters,
        KMeansOptions options,
        ClusteringScorer? score = null,
        ReadOnlySpan<float> weights = default,
        Device? device = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(clusters);
        ArgumentNullException.ThrowIfNull(options);
        using var own = device is null ? new CpuDevice() : null;
        var points = new KMeansSweepPoint[clusters.Count];
        for (int i = 0; i < points.Length; i++)
        {
            var result = Fit(rows, dimension, options with { Clusters = clusters[i] }, default, weights, device ?? own, null, cancellation);
            points[i] = new KMeansSweepPoint(clusters[i], result, score?.Invoke(rows, dimension, result) ?? Empty);
        }

        return points;
    }

    private static IReadOnlyDictionary<string, double> Empty { get; } = new Dictionary<string, double>();
}
