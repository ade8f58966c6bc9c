using System.Diagnostics;
using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <content>Labels of new rows.</content>
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
}
