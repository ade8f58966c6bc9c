using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Interop;

namespace ClusterApi;

/// <summary>Answers POST /cluster.</summary>
internal static class Clustering
{
    // A silhouette takes the distances of all pairs of its points.
    private const int SilhouettePoints = 2000;

    /// <exception cref="SpkException">The request cannot be answered; the message is for the client.</exception>
    public static ClusterResponse Run(ClusterRequest request, Limits limits, CancellationToken cancellation)
    {
        var metric = request.Metric switch
        {
            "euclidean" => ClusterMetric.Euclidean,
            "cosine" => ClusterMetric.Cosine,
            _ => throw new InvalidOptionException($"metric: '{request.Metric}' is unknown; use euclidean or cosine."),
        };
        float[] rows = Rows(request, limits, out int dimension);
        int count = rows.Length / dimension;
        int k = request.K ?? throw new InvalidOptionException($"k: it is missing; use 1 to {count}, the number of vectors.");
        if (k < 1 || k > count)
        {
            throw new InvalidOptionException($"k: {k} was given; use 1 to {count}, the number of vectors.");
        }

        // One thread a request: many clients at once share the processors without one starving the others.
        using var device = new CpuDevice(threads: 1);
        var options = new KMeansOptions { Clusters = k, Metric = metric, Seed = request.Seed, Restarts = 3 };
        double? inertia = null;
        int[] labels;
        switch (request.Method)
        {
            case "kmeans":
                var result = KMeans.Fit(rows, dimension, options, device: device, cancellation: cancellation);
                (labels, inertia) = (result.Labels, result.Inertia);
                break;
            case "gmm":
                var start = KMeans.Fit(rows, dimension, options, device: device, cancellation: cancellation);
                labels = GaussianMixture.FitFromLabels(
                    rows, dimension, start.Labels, new GaussianMixtureOptions { Threads = 1 }, cancellation: cancellation).Labels;
                break;
            case "ahc" when count > limits.TreeVectors:
                throw new InvalidOptionException($"method: ahc takes up to {limits.TreeVectors} vectors and {count} were sent; use kmeans, or fewer.");
            case "ahc":
                labels = Agglomerative.Fit(
                    rows, dimension, new AgglomerativeOptions { Linkage = Linkage.Average, Metric = metric, Threads = 1 }, cancellation: cancellation).Cut(k);
                break;
            default:
                throw new InvalidOptionException($"method: '{request.Method}' is unknown; use kmeans, gmm or ahc.");
        }

        int[] counts = new int[k];
        foreach (int label in labels)
        {
            counts[label]++;
        }

        int? sample = count > SilhouettePoints ? SilhouettePoints : null;
        return new ClusterResponse(
            labels, counts, inertia, FeatureMetrics.Scores(rows, dimension, labels, metric, sample, request.Seed, threads: 1, cancellation));
    }

    private static float[] Rows(ClusterRequest request, Limits limits, out int dimension)
    {
        var vectors = request.Vectors;
        if (vectors is not [{ Length: > 0 }, ..])
        {
            throw new ShapeException("vectors: there are none; send an array of arrays of numbers, [[1, 2], [3, 4]].");
        }

        dimension = vectors[0].Length;
        if (vectors.Length > limits.Vectors || (long)vectors.Length * dimension > limits.Values)
        {
            throw new ShapeException(
                $"vectors: {vectors.Length} of size {dimension} are too many; send up to {limits.Vectors} with up to {limits.Values} numbers in all.");
        }

        float[] rows = new float[vectors.Length * dimension];
        for (int i = 0; i < vectors.Length; i++)
        {
            if (vectors[i]?.Length != dimension)
            {
                throw new ShapeException($"vectors: vector {i} has {vectors[i]?.Length ?? 0} numbers and vector 0 has {dimension}; make them equal.");
            }

            // JSON has no NaN, but numbers that are beyond a float.
            if (Array.Exists(vectors[i], value => !float.IsFinite(value)))
            {
                throw new NonFiniteException($"vectors: vector {i} holds a number that is too large; use numbers of single precision, up to 3.4e38.");
            }

            vectors[i].CopyTo(rows, i * dimension);
        }

        return rows;
    }
}
