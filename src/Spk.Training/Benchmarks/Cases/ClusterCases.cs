using Spk.Engine.Clustering;
using Spk.Engine.Devices;

namespace Spk.Training.Benchmarks.Cases;

/// <summary>Lloyd's k-means with exact labels from given centroids.</summary>
internal static class ClusterCases
{
    private static readonly int[] IterationCounts = [1, 20];

    // Those of the published times of flash-kmeans (arXiv:2603.09229), in 128 dimensions.
    private static readonly (int Problems, int Rows, int Clusters)[] FlashKMeansSizes =
        [(32, 65_536, 1024), (32, 131_072, 1024), (8, 131_072, 1024), (32, 131_072, 128), (8, 131_072, 128)];

    public static IReadOnlyList<BenchmarkGroup> Groups { get; } =
    [
        .. new[] { (20_000, 192, 256), (100_000, 192, 1000), (100_000, 512, 1000) }.Select(sizes => new BenchmarkGroup(
            "kmeans", "k-means of N points into K clusters", d =>
            {
                var (rows, dimension, clusters) = sizes;
                float[] x = Inputs.Blobs(rows, dimension, clusters, 7);
                return [.. IterationCounts.Select(iterations => Clusters(d, x, dimension, clusters, iterations))];
            })),
        new("kmeans_separated", "k-means of clusters that lie apart, to its end: Lloyd's, and with bounds, on a CPU", Separated),
        new("kmeans_small", "many small k-means problems in one call", SmallClusters),
        .. FlashKMeansSizes.Select(sizes => new BenchmarkGroup(
            "kmeans_batch", "large k-means problems in one call, on a GPU", d => LargeClusters(d, sizes.Problems, sizes.Rows, sizes.Clusters)) { NeedsGpu = true }),
    ];

    public static BenchmarkCase Clusters(Device device, int rows, int dimension, int clusters, int iterations)
    {
        float[] x = Inputs.Blobs(rows, dimension, clusters, 7);
        return Clusters(device, x, dimension, clusters, iterations);
    }

    private static BenchmarkCase Clusters(Device device, float[] x, int dimension, int clusters, int iterations) => new(
        "kmeans",
        Sizes(x, dimension, clusters, iterations),
        "point-iterations/s",
        (double)x.Length / dimension * iterations,
        Fit(device, KMeansAlgorithm.Lloyd, x, dimension, clusters, iterations))
    {
        Operations = 2.0 * x.Length * clusters * iterations,
    };

    // Apart enough that most rows keep their label after some iterations, near enough that it takes about twenty until none changes. What bounds save depends
    // on the rows, so that operations are not counted. GPUs compare all rows either way.
    private static IReadOnlyList<BenchmarkCase> Separated(Device device)
    {
        if (device is not CpuDevice)
        {
            return [];
        }

        const int Rows = 20_000, Dimension = 192, K = 256, Most = 60;
        float[] x = Inputs.Blobs(Rows, Dimension, K, 7, separation: 0.5f);
        BenchmarkCase Whole(string name, KMeansAlgorithm algorithm) =>
            new(name, Sizes(x, Dimension, K, Most), "fits/s", 1, Fit(device, algorithm, x, Dimension, K, Most));
        return [Whole("kmeans_separated_lloyd", KMeansAlgorithm.Lloyd), Whole("kmeans_separated_bounded", KMeansAlgorithm.Bounded)];
    }

    private static CaseSize[] Sizes(float[] x, int dimension, int clusters, int iterations) =>
        [new("N", x.Length / dimension), new("D", dimension), new("K", clusters), new("iters", iterations)];

    // From the first rows.
    private static Action Fit(Device device, KMeansAlgorithm algorithm, float[] x, int dimension, int clusters, int iterations)
    {
        float[] first = x.AsSpan(0, clusters * dimension).ToArray();
        var options = new KMeansOptions { Clusters = clusters, MaximumIterations = iterations, Tolerance = 0, Algorithm = algorithm };
        return () => KMeans.Fit(x, dimension, options, first, device: device);
    }

    private static IReadOnlyList<BenchmarkCase> SmallClusters(Device device) =>
        [Batch(device, "kmeans_small", Problems(64, rows: 2000, dimension: 192, clusters: 20), iterations: 20)];

    // Rows are sent each time: an iteration is a nineteenth of the difference.
    private static IReadOnlyList<BenchmarkCase> LargeClusters(Device device, int count, int rows, int clusters)
    {
        KMeansProblem[] problems = [.. Enumerable.Repeat(Problems(1, rows, dimension: 128, clusters)[0], count)]; // Each is sent, so that the device holds all.
        return [.. IterationCounts.Select(iterations => Batch(device, "kmeans_batch", problems, iterations))];
    }

    private static KMeansProblem[] Problems(int count, int rows, int dimension, int clusters) => [.. Enumerable.Range(0, count).Select(p =>
    {
        float[] x = Inputs.Blobs(rows, dimension, clusters, 100 + (ulong)p);
        return new KMeansProblem(x, dimension, clusters) { InitialCentroids = x.AsMemory(0, clusters * dimension) };
    })];

    // Problems of one size.
    private static BenchmarkCase Batch(Device device, string name, KMeansProblem[] problems, int iterations)
    {
        var (dimension, clusters) = (problems[0].Dimension, problems[0].Clusters);
        int rows = problems[0].Rows.Length / dimension;
        return new(
            name,
            [new("problems", problems.Length), new("N", rows), new("D", dimension), new("K", clusters), new("iters", iterations)],
            "problems/s",
            problems.Length,
            () => KMeans.FitBatch(problems, new KMeansOptions { MaximumIterations = iterations, Tolerance = 0 }, device))
        {
            Operations = 2.0 * problems.Length * rows * dimension * clusters * iterations,
        };
    }
}
