using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Lloyd's k-means with exact labels from given centroids.</summary>
internal static class ClusterCases
{
    private static readonly int[] IterationCounts = [1, 20];

    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        .. new[] { (20_000, 192, 256), (100_000, 192, 1000), (100_000, 512, 1000) }.Select(sizes => new BenchmarkGroup(
            "kmeans", "k-means of N points into K clusters", d =>
            {
                var (rows, dimension, clusters) = sizes;
                float[] x = Inputs.Blobs(rows, dimension, clusters, 7);
                return [.. IterationCounts.Select(iterations => Clusters(d, x, dimension, clusters, iterations))];
            })),
        new("kmeans_small", "many small k-means problems in one call", SmallClusters),
        new("kmeans_batch", "32 large k-means problems in one call, on a GPU", LargeClusters),
    ];

    public static BenchmarkCase Clusters(Device device, int rows, int dimension, int clusters, int iterations)
    {
        float[] x = Inputs.Blobs(rows, dimension, clusters, 7);
        return Clusters(device, x, dimension, clusters, iterations);
    }

    private static BenchmarkCase Clusters(Device device, float[] x, int dimension, int clusters, int iterations)
    {
        int rows = x.Length / dimension;
        float[] first = x.AsSpan(0, clusters * dimension).ToArray();
        return new(
            "kmeans",
            [new("N", rows), new("D", dimension), new("K", clusters), new("iters", iterations)],
            "point-iterations/s",
            (double)rows * iterations,
            () => KMeans.Fit(x, dimension, new KMeansOptions { Clusters = clusters, MaximumIterations = iterations, Tolerance = 0 }, first, device: device))
        {
            Operations = 2.0 * rows * dimension * clusters * iterations,
        };
    }

    private static IReadOnlyList<BenchmarkCase> SmallClusters(Device device) =>
        [Batch(device, "kmeans_small", problems: 64, rows: 2000, dimension: 192, clusters: 20, iterations: 20)];

    // A CPU would take minutes. Rows are sent each time: an iteration is a nineteenth of the difference.
    private static IReadOnlyList<BenchmarkCase> LargeClusters(Device device) => device is not CudaDevice ? [] :
    [
        .. IterationCounts.Select(iterations => Batch(device, "kmeans_batch", problems: 32, rows: 65_536, dimension: 128, clusters: 1024, iterations)),
    ];

    private static BenchmarkCase Batch(Device device, string name, int problems, int rows, int dimension, int clusters, int iterations)
    {
        KMeansProblem[] all = [.. Enumerable.Range(0, problems).Select(p =>
        {
            float[] x = Inputs.Blobs(rows, dimension, clusters, 100 + (ulong)p);
            return new KMeansProblem(x, dimension, clusters) { InitialCentroids = x.AsMemory(0, clusters * dimension) };
        })];
        return new(
            name,
            [new("problems", problems), new("N", rows), new("D", dimension), new("K", clusters), new("iters", iterations)],
            "problems/s",
            problems,
            () => KMeans.FitBatch(all, new KMeansOptions { MaximumIterations = iterations, Tolerance = 0 }, device))
        {
            Operations = 2.0 * problems * rows * dimension * clusters * iterations,
        };
    }
}
