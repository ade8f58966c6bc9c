using System.Numerics.Tensors;
using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

/// <summary>What k-means promises for any data: objectives that never rise, the same bits on any threads, edge cases, invariances.</summary>
public class KMeansPropertyTests
{
    private static readonly KMeansOptions Exact = new() { Tolerance = 0, MaximumIterations = 200, Initialization = KMeansInitialization.RandomRows };

    private static KMeansInitialization[] Initializations { get; } = Enum.GetValues<KMeansInitialization>();

    private static ClusterMetric[] Metrics { get; } = Enum.GetValues<ClusterMetric>();

    private static KMeansAlgorithm[] Algorithms { get; } = Enum.GetValues<KMeansAlgorithm>();

    [Test]
    public void Objective_never_rises(
        [ValueSource(nameof(Metrics))] ClusterMetric metric, [Values(EmptyClusterPolicy.Keep, EmptyClusterPolicy.Farthest)] EmptyClusterPolicy policy,
        [Values(1UL, 2UL, 3UL)] ulong seed)
    {
        float[] rows = Blobs.Rows(9, 3000, 17, 40);
        var result = KMeans.Fit(rows, 17, Exact with { Clusters = 60, Metric = metric, EmptyClusters = policy, Seed = seed });
        double[] inertia = [.. result.InertiaPerIteration, result.Inertia];
        for (int i = 1; i < inertia.Length; i++)
        {
            Assert.That(inertia[i], Is.LessThanOrEqualTo(inertia[i - 1] + (1e-8 * Math.Abs(inertia[i - 1]))), $"iteration {i}");
        }

        Assert.That(result.Stop, Is.EqualTo(KMeansStop.Converged));
        Assert.That(result.Iterations, Is.GreaterThan(3));
    }

    [Test]
    public void Bits_do_not_depend_on_threads(
        [ValueSource(nameof(Metrics))] ClusterMetric metric, [ValueSource(nameof(Algorithms))] KMeansAlgorithm algorithm,
        [ValueSource(nameof(Initializations))] KMeansInitialization initialization)
    {
        float[] rows = Blobs.Rows(4, 2000, 24, 30);
        float[] weights = [.. Enumerable.Range(0, 2000).Select(i => i % 3 * 0.5f)];
        var options = Exact with { Clusters = 40, Metric = metric, Algorithm = algorithm, Initialization = initialization, MaximumIterations = 6, Restarts = 2, MiniBatchSize = 700 };
        AssertSameBits(rows, 24, options, weights, [1, 2, 3]);
    }

    [Test]
    public void Twenty_runs_on_one_and_on_two_threads_give_the_same_bits([ValueSource(nameof(Metrics))] ClusterMetric metric, [Values(5, 70)] int clusters)
    {
        var options = Exact with { Clusters = clusters, Metric = metric, MaximumIterations = 10, Seed = 7 };
        AssertSameBits(Blobs.Rows(4, 1500, 33, 30), 33, options, [], [.. Enumerable.Range(0, 40).Select(run => (run % 2) + 1)]);
    }

    [Test]
    public void Bounded_gives_the_labels_of_lloyd_to_the_end(
        [ValueSource(nameof(Metrics))] ClusterMetric metric, [Values] EmptyClusterPolicy policy, [Values(1UL, 2UL)] ulong seed)
    {
        float[] rows = Blobs.Rows(2, 4000, 13, 25);
        var options = Exact with { Clusters = 50, Metric = metric, EmptyClusters = policy, Seed = seed };
        var lloyd = KMeans.Fit(rows, 13, options);
        var bounded = KMeans.Fit(rows, 13, options with { Algorithm = KMeansAlgorithm.Bounded });
        Assert.That(bounded.Labels, Is.EqualTo(lloyd.Labels));
        Assert.That(bounded.Iterations, Is.EqualTo(lloyd.Iterations));
        Assert.That(Bits(bounded.Centroids), Is.EqualTo(Bits(lloyd.Centroids)));
        Assert.That(bounded.Inertia, Is.EqualTo(lloyd.Inertia).Within(1e-10).Percent);
    }

    [Test]
    public void One_cluster_is_the_mean([ValueSource(nameof(Metrics))] ClusterMetric metric)
    {
        float[] rows = Samples.Normal(1, 100 * 5);
        var result = KMeans.Fit(rows, 5, Exact with { Clusters = 1, Metric = metric });
        double[] sum = new double[5];
        for (int i = 0; i < 100; i++)
        {
            double length = metric == ClusterMetric.Cosine ? TensorPrimitives.Norm(rows.AsSpan(i * 5, 5)) : 1;
            for (int d = 0; d < 5; d++)
            {
                sum[d] += rows[(i * 5) + d] / length;
            }
        }

        double divisor = metric == ClusterMetric.Cosine ? TensorPrimitives.Norm<double>(sum) : 100;
        Close.Assert(result.Centroids, [.. sum.Select(v => v / divisor)], 1e-6, "mean");
        Assert.That(result.Counts, Is.EqualTo(new[] { 100 }));
    }

    [Test]
    public void In_one_dimension_cosine_knows_two_directions_and_euclid_intervals()
    {
        float[] rows = [.. Enumerable.Range(0, 60).Select(i => (i % 2 == 0 ? 1f : -1f) * (1 + (i / 20 * 10)))];
        var directions = KMeans.Fit(rows, 1, Exact with { Clusters = 2, Metric = ClusterMetric.Cosine, Initialization = KMeansInitialization.PlusPlus });
        var intervals = KMeans.Fit(rows, 1, Exact with { Clusters = 6, Initialization = KMeansInitialization.PlusPlus });
        Assert.Multiple(() =>
        {
            Assert.That(Enumerable.Range(0, 58).Select(i => directions.Labels[i] == directions.Labels[i + 2]), Is.All.True);
            Assert.That(directions.Inertia, Is.EqualTo(-60).Within(1e-5));
            Assert.That(intervals.Inertia, Is.Zero);
            Assert.That(intervals.Centroids.Order(), Is.EqualTo(new[] { -21f, -11f, -1f, 1f, 11f, 21f }));
        });
    }

    [Test]
    public void As_many_clusters_as_rows_leaves_no_distance([ValueSource(nameof(Metrics))] ClusterMetric metric, [ValueSource(nameof(Initializations))] KMeansInitialization initialization)
    {
        float[] rows = Samples.Normal(1, 60 * 7);
        var result = KMeans.Fit(rows, 7, Exact with { Clusters = 60, Metric = metric, Initialization = initialization });
        Assert.That(result.Labels, Is.Unique);
        Assert.That(result.Inertia, Is.EqualTo(metric == ClusterMetric.Euclidean ? 0 : -60).Within(1e-5));
    }

    [Test]
    public void Duplicates_fall_together_on_the_lowest_cluster([ValueSource(nameof(Initializations))] KMeansInitialization initialization, [Values] EmptyClusterPolicy policy)
    {
        // Three distinct rows, forty times each; six clusters, so that some centroids must coincide or stay empty.
        float[] distinct = [1, 2, 3, 4, 5, 6.5f, -1, 0, 2];
        float[] rows = [.. Enumerable.Range(0, 120).SelectMany(i => distinct.AsSpan(i % 3 * 3, 3).ToArray())];
        var result = KMeans.Fit(rows, 3, Exact with { Clusters = 6, Initialization = initialization, EmptyClusters = policy, MaximumIterations = 20, Seed = 3 });
        Assert.Multiple(() =>
        {
            Assert.That(result.Labels.Distinct().Count(), Is.LessThanOrEqualTo(3));
            Assert.That(Enumerable.Range(3, 117).Select(i => result.Labels[i] == result.Labels[i - 3]), Is.All.True);
        });
        if (policy == EmptyClusterPolicy.Farthest)
        {
            Assert.That(result.Inertia, Is.Zero);
        }
    }

    [Test]
    public void Permuted_rows_reach_the_same_inertia([ValueSource(nameof(Metrics))] ClusterMetric metric)
    {
        float[] rows = Blobs.Rows(6, 2000, 19, 15);
        float[] initial = rows.AsSpan(0, 20 * 19).ToArray();
        int[] order = [.. Enumerable.Range(0, 2000)];
        new CounterRandom(5, RandomPurpose.Shuffle).Shuffle(order);
        float[] permuted = [.. order.SelectMany(i => rows.AsSpan(i * 19, 19).ToArray())];
        var first = KMeans.Fit(rows, 19, Exact with { Clusters = 20, Metric = metric }, initial);
        var second = KMeans.Fit(permuted, 19, Exact with { Clusters = 20, Metric = metric }, initial);
        Assert.That(second.Inertia, Is.EqualTo(first.Inertia).Within(1e-6 * Math.Abs(first.Inertia)));
        Assert.That(second.Labels, Is.EqualTo(order.Select(i => first.Labels[i])));
    }

    [Test]
    public void Whole_weights_act_like_copies([ValueSource(nameof(Metrics))] ClusterMetric metric)
    {
        float[] rows = Blobs.Rows(3, 400, 6, 9);
        float[] initial = rows.AsSpan(0, 9 * 6).ToArray();
        float[] weights = [.. Enumerable.Range(0, 400).Select(i => (float)((i % 4) + 1))];
        float[] copies = [.. Enumerable.Range(0, 400).SelectMany(i => Enumerable.Repeat(i, (i % 4) + 1)).SelectMany(i => rows.AsSpan(i * 6, 6).ToArray())];
        var weighted = KMeans.Fit(rows, 6, Exact with { Clusters = 9, Metric = metric }, initial, weights);
        var copied = KMeans.Fit(copies, 6, Exact with { Clusters = 9, Metric = metric }, initial);
        Close.Assert(weighted.Centroids, copied.Centroids, 1e-5, "centroids");
        Assert.That(weighted.Inertia, Is.EqualTo(copied.Inertia).Within(1e-4).Percent);
        Assert.That(weighted.MeanOwnSimilarity, Is.EqualTo(copied.MeanOwnSimilarity).Within(1e-5));
    }

    [Test]
    public void Cosine_ignores_lengths_and_returns_unit_centroids()
    {
        float[] rows = Blobs.Rows(8, 900, 21, 9), scaled = (float[])rows.Clone();
        for (int i = 0; i < scaled.Length; i++)
        {
            // Powers of two: exact.
            scaled[i] *= MathF.Pow(2, (i / 21 % 7) - 3);
        }

        var options = Exact with { Clusters = 12, Metric = ClusterMetric.Cosine };
        float[] initial = rows.AsSpan(0, 12 * 21).ToArray();
        var one = KMeans.Fit(rows, 21, options, initial);
        var other = KMeans.Fit(scaled, 21, options, initial);
        Assert.That(other.Labels, Is.EqualTo(one.Labels));
        for (int k = 0; k < 12; k++)
        {
            Assert.That(TensorPrimitives.Norm(one.Centroid(k)), Is.EqualTo(1).Within(1e-6));
        }

        Assert.That(one.MeanOwnSimilarity, Is.EqualTo(-one.Inertia / 900).Within(1e-7));
        Assert.That(one.OwnSimilarity, Is.All.InRange(-1.000001f, 1.000001f));
    }

    [Test]
    public void Zero_rows_under_cosine_have_similarity_zero_and_move_nothing()
    {
        float[] rows = Blobs.Rows(8, 100, 5, 4);
        rows.AsSpan(50 * 5, 5).Clear();
        float[] without = [.. rows.AsSpan(0, 250), .. rows.AsSpan(255)];
        float[] initial = rows.AsSpan(0, 20).ToArray();
        var options = Exact with { Clusters = 4, Metric = ClusterMetric.Cosine };
        var result = KMeans.Fit(rows, 5, options, initial);
        Assert.Multiple(() =>
        {
            Assert.That(result.Labels[50], Is.Zero);
            Assert.That(result.OwnSimilarity[50], Is.Zero);
            Assert.That(Bits(result.Centroids), Is.EqualTo(Bits(KMeans.Fit(without, 5, options, initial).Centroids)));
        });
        Assert.That(
            () => KMeans.Fit(rows, 5, options with { Clusters = 100 }),
            Throws.TypeOf<InvalidOptionException>().With.Message.Contains("99 non-zero rows"));
    }

    private static void AssertSameBits(float[] rows, int dimension, KMeansOptions options, float[] weights, int[] threads)
    {
        KMeansResult? first = null;
        foreach (int count in threads)
        {
            using var device = new CpuDevice(count);
            var result = KMeans.Fit(rows, dimension, options, default, weights, device);
            first ??= result;
            Assert.Multiple(() =>
            {
                Assert.That(result.Labels.AsSpan().SequenceEqual(first.Labels), $"labels on {count} threads");
                Assert.That(Bits(result.Centroids).AsSpan().SequenceEqual(Bits(first.Centroids)), $"centroids on {count} threads");
                Assert.That(Bits(result.OwnSimilarity).AsSpan().SequenceEqual(Bits(first.OwnSimilarity)), $"similarities on {count} threads");
                Assert.That(result.Counts, Is.EqualTo(first.Counts));
                Assert.That(result.InertiaPerIteration, Is.EqualTo(first.InertiaPerIteration));
                Assert.That(result.Inertia, Is.EqualTo(first.Inertia));
            });
        }
    }

    private static int[] Bits(float[] values) => Array.ConvertAll(values, BitConverter.SingleToInt32Bits);
}
