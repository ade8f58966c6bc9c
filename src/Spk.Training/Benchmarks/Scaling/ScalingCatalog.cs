using Spk.Engine.Devices;
using Spk.Training.Benchmarks.Cases;

namespace Spk.Training.Benchmarks.Scaling;

/// <summary>What <c>spk bench scaling</c> can vary.</summary>
public static class ScalingCatalog
{
    internal const string ThreadsName = "threads";

    private const int Width = 192;

    internal static IReadOnlyList<ScalingAxis> Axes { get; } =
    [
        new("train_step-batch", "a training step of the small recipes' x-vector on a second of features", "utterances in a batch", Doubling(4, 7),
            (device, batch) => EncoderCases.SmallTrainStep(device, batch)),
        new("ntxent-batch", "symmetric NT-Xent-AM with gradient, embeddings of 512", "pairs in a batch", Doubling(64, 7),
            (device, batch) => LossCases.Contrastive(device, batch)),
        new("classifier-classes", "AAM softmax with gradients, 64 embeddings of 192", "classes", Doubling(250, 9),
            (device, classes) => LossCases.Classifier(device, 64, classes)),
        new("kmeans-clusters", "one iteration of k-means on 10,000 points of 192 dimensions", "clusters", Doubling(16, 8),
            (device, clusters) => ClusterCases.Clusters(device, 10_000, Width, clusters, 1)),
        new("kmeans-rows", "one iteration of k-means into 256 clusters, 192 dimensions", "points", Doubling(1250, 8),
            (device, rows) => ClusterCases.Clusters(device, rows, Width, 256, 1)),
        new("score-utterances", "cosines of all enrolments with all tests, as many of each, embeddings of 192", "utterances on each side", Doubling(250, 6),
            (device, rows) => ScoringCases.AllPairs(device, rows)),
        new("search-profiles", "the 10 nearest profiles of one embedding of 192", "profiles", Doubling(1000, 8), (_, profiles) => ScoringCases.Identify(profiles)),
        Threads("train_step-threads", "the training step above with 64 utterances", device => EncoderCases.SmallTrainStep(device, 64)),
        Threads("kmeans-threads", "the iteration above of 20,000 points", device => ClusterCases.Clusters(device, 20_000, Width, 256, 1)),
        Threads("sgemm-threads", "a product of matrices of 1024 × 1024", device => ProductCases.Case("sgemm", device, 1024, 1024, 1024)),
    ];

    /// <summary>Names of all axes, each with what is timed.</summary>
    public static IReadOnlyList<(string Name, string Summary)> All { get; } = [.. Axes.Select(a => (a.Name, a.Summary))];

    private static ScalingAxis Threads(string name, string summary, Func<Device, BenchmarkCase> make)
    {
        int all = Environment.ProcessorCount;
        int[] powers = [.. Doubling(1, 16).TakeWhile(n => n < all)];
        return new ScalingAxis(name, summary, ThreadsName, [.. powers, all], (device, _) => make(device)) { VariesThreads = true };
    }

    private static int[] Doubling(int first, int count) => [.. Enumerable.Range(0, count).Select(i => first << i)];
}
