using System.Numerics.Tensors;
using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// Measures that judge a clustering by its points alone, without known classes. Labels are any ints; there must be 2 to N − 1
/// distinct ones, as in scikit-learn. Results do not depend on the number of threads.
/// </summary>
/// <remarks>
/// They say whether groups are compact and apart in the space given, not whether they are speakers: prefer
/// <see cref="LabelMetrics"/> wherever some labels are known.
/// </remarks>
public static class FeatureMetrics
{
    // Where scikit-learn takes all distances of Davies-Bouldin for zero.
    private const double NoDistance = 1e-8;

    /// <summary>Mean silhouette of all points: exact, in O(N²) time and O(N) memory.</summary>
    /// <param name="rows">Row-major [N, D], finite.</param>
    /// <param name="dimension">D, above 0.</param>
    /// <param name="labels">Cluster of each row, any ints.</param>
    /// <param name="metric">Euclidean distance, or 1 − cosine (a zero vector is at distance 1 from every other row).</param>
    /// <param name="threads">Threads; 0 for one per processor.</param>
    /// <param name="cancellation">Ends the computation early.</param>
    /// <returns>A number of [−1, 1]; higher is better.</returns>
    /// <remarks>Rousseeuw, "Silhouettes", 1987.</remarks>
    /// <exception cref="ShapeException">Rows and labels do not fit together, or there are not 2 to N − 1 clusters.</exception>
    /// <exception cref="NonFiniteException">A value is a NaN or an infinity (the message names the row), or a squared distance overflows f32.</exception>
    /// <exception cref="InvalidOptionException">The number of threads is negative.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static double Silhouette(
        ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels, ClusterMetric metric = ClusterMetric.Euclidean,
        int threads = 0, CancellationToken cancellation = default)
    {
        double sum = 0;
        double[] points = SilhouetteOfPoints(rows, dimension, labels, metric, threads, cancellation);
        foreach (double value in points)
        {
            sum += value;
        }

        return sum / points.Length;
    }

    /// <summary>Silhouette of every point, (b − a) / max(a, b): a is the mean distance to its own cluster, b to the nearest other one.</summary>
    /// <returns>[N] numbers of [−1, 1]; 0 for a point that is a cluster of its own.</returns>
    /// <inheritdoc cref="Silhouette" path="/param|/remarks|/exception"/>
    public static double[] SilhouetteOfPoints(
        ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels, ClusterMetric metric = ClusterMetric.Euclidean,
        int threads = 0, CancellationToken cancellation = default)
    {
        var clusters = Clusters(rows, dimension, labels);
        return SilhouetteLoop.Run(rows, dimension, clusters, metric, Threads.Options(threads, cancellation));
    }

    /// <summary>
    /// Mean silhouette of a random sample of the points among themselves (as scikit-learn's <c>sample_size</c>): an estimate in
    /// O(sample²) time. 10,000 to 20,000 points give about two digits.
    /// </summary>
    /// <param name="rows">Row-major [N, D], finite.</param>
    /// <param name="dimension">D, above 0.</param>
    /// <param name="labels">Cluster of each row, any ints.</param>
    /// <param name="sampleSize">Points in the sample, 3 to N; N gives the exact value.</param>
    /// <param name="seed">Draws the sample: the same seed takes the same points.</param>
    /// <param name="metric">Euclidean distance, or 1 − cosine (a zero vector is at distance 1 from every other row).</param>
    /// <param name="threads">Threads; 0 for one per processor.</param>
    /// <param name="cancellation">Ends the computation early.</param>
    /// <returns>A number of [−1, 1].</returns>
    /// <exception cref="ShapeException">Rows and labels do not fit together, or the sample has not 2 to its size − 1 clusters.</exception>
    /// <exception cref="InvalidOptionException">The sample size is out of range, or the number of threads negative.</exception>
    /// <exception cref="NonFiniteException">A value is a NaN or an infinity; the message names the row.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static double SilhouetteSampled(
        ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels, int sampleSize, ulong seed = 0,
        ClusterMetric metric = ClusterMetric.Euclidean, int threads = 0, CancellationToken cancellation = default)
    {
        Draw(rows, dimension, labels, sampleSize, seed, out float[] sample, out int[] sampleLabels);
        return Silhouette(sample, dimension, sampleLabels, metric, threads, cancellation);
    }

    /// <summary>All three measures at once, to compare clusterings of the same rows.</summary>
    /// <param name="rows">Row-major [N, D], finite.</param>
    /// <param name="dimension">D, above 0.</param>
    /// <param name="labels">Cluster of each row, any ints.</param>
    /// <param name="metric">Distance of the silhouette; the other two are Euclidean by definition.</param>
    /// <param name="silhouetteSample">Points of the silhouette, 3 to N; null for all of them (exact, O(N²)), 0 for no silhouette.</param>
    /// <param name="seed">Draws the sample.</param>
    /// <param name="threads">Threads; 0 for one per processor.</param>
    /// <param name="cancellation">Ends the computation early.</param>
    /// <returns>The scores; null where they are undefined, with fewer than 2 or more than N − 1 clusters.</returns>
    /// <exception cref="ShapeException">Rows and labels do not fit together.</exception>
    /// <exception cref="NonFiniteException">A value is a NaN or an infinity; the message names the row.</exception>
    /// <exception cref="InvalidOptionException">The sample size is out of range, or the number of threads negative.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static FeatureScores? Scores(
        ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels, ClusterMetric metric = ClusterMetric.Euclidean,
        int? silhouetteSample = null, ulong seed = 0, int threads = 0, CancellationToken cancellation = default)
    {
        int count = Points.Count(rows, dimension, labels);
        if (!Defined(labels))
        {
            return null;
        }

        double? silhouette = null;
        if (silhouetteSample is null || silhouetteSample == count)
        {
            silhouette = Silhouette(rows, dimension, labels, metric, threads, cancellation);
        }
        else if (silhouetteSample != 0)
        {
            Draw(rows, dimension, labels, silhouetteSample.Value, seed, out float[] sample, out int[] sampleLabels);
            silhouette = Defined(sampleLabels) ? Silhouette(sample, dimension, sampleLabels, metric, threads, cancellation) : null;
        }

        return new FeatureScores(silhouette, CalinskiHarabasz(rows, dimension, labels, threads), DaviesBouldin(rows, dimension, labels, threads));
    }

    /// <summary>Calinski-Harabasz score: variance between the clusters over variance within them.</summary>
    /// <param name="rows">Row-major [N, D], finite.</param>
    /// <param name="dimension">D, above 0.</param>
    /// <param name="labels">Cluster of each row, any ints.</param>
    /// <param name="threads">Threads; 0 for one per processor.</param>
    /// <returns>At least 0, higher is better, without upper bound; 1 where no point differs from its centroid.</returns>
    /// <remarks>Caliński and Harabasz, "A dendrite method for cluster analysis", 1974. f64 throughout.</remarks>
    /// <exception cref="ShapeException">Rows and labels do not fit together, or there are not 2 to N − 1 clusters.</exception>
    /// <exception cref="NonFiniteException">A value is a NaN or an infinity; the message names the row.</exception>
    /// <exception cref="InvalidOptionException">The number of threads is negative.</exception>
    public static double CalinskiHarabasz(ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels, int threads = 0)
    {
        var clusters = Clusters(rows, dimension, labels);
        int count = labels.Length, k = clusters.Values.Length;
        var centroids = ClusterCentroids.Compute(rows, dimension, clusters, Threads.Options(threads));
        double[] mean = new double[dimension];
        for (int c = 0; c < k; c++)
        {
            TensorPrimitives.MultiplyAdd(centroids.Mean(c), (double)centroids.Size(c) / count, mean, mean);
        }

        double between = 0, within = 0;
        for (int c = 0; c < k; c++)
        {
            double distance = TensorPrimitives.Distance(centroids.Mean(c), mean);
            between += centroids.Size(c) * distance * distance;
            within += centroids.SquaredDistances[c];
        }

        return within == 0 ? 1 : between / (k - 1) / (within / (count - k));
    }

    /// <summary>Davies-Bouldin score: how large the clusters are next to their distance, for the worst neighbour of each.</summary>
    /// <returns>At least 0, lower is better.</returns>
    /// <remarks>
    /// Davies and Bouldin, "A cluster separation measure", 1979, with mean distances to the centroid, as in scikit-learn: 0 where
    /// no point differs from its centroid or no centroid from another (by 1e-8).
    /// </remarks>
    /// <inheritdoc cref="CalinskiHarabasz" path="/param|/exception"/>
    public static double DaviesBouldin(ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels, int threads = 0)
    {
        var clusters = Clusters(rows, dimension, labels);
        var parallel = Threads.Options(threads);
        var centroids = ClusterCentroids.Compute(rows, dimension, clusters, parallel);
        int k = clusters.Values.Length;
        double[] worst = new double[k], farthest = new double[k];
        Parallel.For(0, k, parallel, c =>
        {
            for (int other = 0; other < k; other++)
            {
                double distance = other == c ? 0 : TensorPrimitives.Distance(centroids.Mean(c), centroids.Mean(other));
                farthest[c] = Math.Max(farthest[c], distance);
                if (distance > 0)
                {
                    worst[c] = Math.Max(worst[c], (centroids.MeanDistances[c] + centroids.MeanDistances[other]) / distance);
                }
            }
        });

        if (TensorPrimitives.Max<double>(centroids.MeanDistances) <= NoDistance || TensorPrimitives.Max<double>(farthest) <= NoDistance)
        {
            return 0;
        }

        double sum = 0;
        foreach (double value in worst)
        {
            sum += value;
        }

        return sum / k;
    }

    private static bool Defined(ReadOnlySpan<int> labels) => DenseLabels.Of(labels).Values.Length is var k && k >= 2 && k < labels.Length;

    private static void Draw(
        ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels, int size, ulong seed, out float[] sample, out int[] sampleLabels)
    {
        int count = Points.Count(rows, dimension, labels);
        if (size < 3 || size > count)
        {
            throw new InvalidOptionException($"sampleSize = {size}: allowed are 3 to the number of rows, {count}.");
        }

        int[] chosen = new int[count];
        for (int i = 0; i < count; i++)
        {
            chosen[i] = i;
        }

        var random = new CounterRandom(seed, RandomPurpose.Clustering);
        for (int i = 0; i < size; i++)
        {
            int j = i + random.NextInt(count - i);
            (chosen[i], chosen[j]) = (chosen[j], chosen[i]);
        }

        // In the order of the rows, so that the sample of all rows is the exact computation to the bit.
        Array.Sort(chosen, 0, size);
        sample = new float[size * (long)dimension];
        sampleLabels = new int[size];
        for (int i = 0; i < size; i++)
        {
            rows.Slice(chosen[i] * dimension, dimension).CopyTo(sample.AsSpan(i * dimension));
            sampleLabels[i] = labels[chosen[i]];
        }
    }

    private static DenseLabels Clusters(ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels)
    {
        int count = Points.Count(rows, dimension, labels);
        var clusters = DenseLabels.Of(labels);
        int k = clusters.Values.Length;
        return k >= 2 && k < count
            ? clusters
            : throw new ShapeException($"{k} cluster{(k == 1 ? "" : "s")} of {count} rows: this measure needs 2 to N − 1 = {count - 1} clusters.");
    }
}
