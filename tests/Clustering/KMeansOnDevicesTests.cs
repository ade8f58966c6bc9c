using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

/// <summary>Whole optimisations on every device: what lies in host memory and what is mirrored stays the same thing.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class KMeansOnDevicesTests(TestDevice on)
{
    private const int Rows = 150, Dimension = 9, Clusters = 6;

    private static readonly KMeansOptions Options = new() { Clusters = Clusters, Tolerance = 0, MaximumIterations = 4, Seed = 3 };

    private static readonly float[] Values = Blobs(1, Rows);
    private static readonly float[] Weights = [.. Enumerable.Range(0, Rows).Select(i => 0.5f * (i % 4))];

    [Test]
    public void Fit_follows_the_cpu_from_given_centroids([Values] ClusterMetric metric, [Values] KMeansAlgorithm algorithm, [Values] bool weighted)
    {
        float[] initial = Values.AsSpan(0, Clusters * Dimension).ToArray(), weights = weighted ? Weights : [];
        var options = Options with { Metric = metric, Algorithm = algorithm, MiniBatchSize = 40 };
        using var cpu = new CpuDevice(1);
        using var device = on.Open();
        AssertSame(KMeans.Fit(Values, Dimension, options, initial, weights, device), KMeans.Fit(Values, Dimension, options, initial, weights, cpu));
    }

    [Test]
    public void Empty_clusters_are_refilled_as_on_the_cpu([Values] EmptyClusterPolicy policy)
    {
        // The last two centroids start where nothing is.
        float[] initial = [.. Values.AsSpan(0, (Clusters - 2) * Dimension), .. Enumerable.Repeat(-900f, 2 * Dimension)];
        var options = Options with { EmptyClusters = policy };
        using var cpu = new CpuDevice(1);
        using var device = on.Open();
        var result = KMeans.Fit(Values, Dimension, options, initial, default, device);
        AssertSame(result, KMeans.Fit(Values, Dimension, options, initial, default, cpu));
        Assert.That(result.Counts.Contains(0), Is.EqualTo(policy == EmptyClusterPolicy.Keep));
    }

    [Test]
    public void Own_starts_find_the_groups_with_restarts_and_on_a_sample([Values] KMeansInitialization initialization, [Values] bool sampled)
    {
        var options = Options with { Initialization = initialization, Restarts = 2, TrainingSampleSize = sampled ? 90 : null };
        using var device = on.Open();
        var result = KMeans.Fit(Values, Dimension, options, device: device);
        var again = KMeans.Fit(Values, Dimension, options, device: device);
        int[] labels = new int[Rows];
        double inertia = KMeansReference.Assign(Values, Dimension, result.Centroids, ClusterMetric.Euclidean, null, labels);
        Assert.Multiple(() =>
        {
            Assert.That(result.Labels, Is.EqualTo(labels), "labels belong to the centroids");
            Assert.That(result.Inertia, Is.EqualTo(inertia).Within(1e-6 * inertia));
            Assert.That(result.Counts.Sum(), Is.EqualTo(Rows));
            Assert.That(again.Centroids, Is.EqualTo(result.Centroids), "the same bits again");
            Assert.That(again.InertiaPerIteration, Is.EqualTo(result.InertiaPerIteration));
        });
    }

    [Test]
    public void A_batch_gives_the_bits_of_single_calls_and_leaves_the_workspace_as_it_was()
    {
        KMeansProblem[] problems =
        [
            .. Enumerable.Range(0, 4).Select(p => new KMeansProblem(Blobs(p, 30 + (25 * p)), Dimension, 2 + p) { Seed = (ulong)p }),
            new(Values, Dimension, Clusters) { InitialCentroids = Values.AsMemory(0, Clusters * Dimension), Weights = Weights },
            new(new float[] { 1, 2, 8, 9 }, 1, 2),
        ];
        using var device = on.Open();
        var before = device.Workspace.Position;
        var results = KMeans.FitBatch(problems, Options, device);
        Assert.That(device.Workspace.Position, Is.EqualTo(before));
        for (int p = 0; p < problems.Length; p++)
        {
            var problem = problems[p];
            var alone = KMeans.Fit(
                problem.Rows, problem.Dimension, Options with { Clusters = problem.Clusters, Seed = problem.Seed ?? Options.Seed }, problem.InitialCentroids, problem.Weights, device);
            Assert.That(results[p].Labels, Is.EqualTo(alone.Labels), $"problem {p}");
            Assert.That(results[p].Centroids, Is.EqualTo(alone.Centroids), $"problem {p}");
            Assert.That(results[p].Inertia, Is.EqualTo(alone.Inertia), $"problem {p}");
        }
    }

    // Products of them, and squares, are beyond f32: the search of a GPU finds nothing that is better than nothing.
    [TestCase(ClusterMetric.Euclidean, 1)]
    [TestCase(ClusterMetric.Cosine, 1)]
    [TestCase(ClusterMetric.Euclidean, 3)]
    public void Rows_far_from_zero_are_labelled(ClusterMetric metric, int clusters)
    {
        float[] rows = [.. Values.Select(value => value * 1e25f)];
        int[] labels = new int[Rows];
        using var device = on.Open();
        var result = KMeans.Fit(rows, Dimension, Options with { Metric = metric, Clusters = clusters }, rows.AsSpan(0, clusters * Dimension), device: device);
        double inertia = KMeansReference.Assign(rows, Dimension, result.Centroids, metric, null, labels);
        Assert.That(result.Labels, Is.EqualTo(labels));
        Assert.That(result.Inertia, Is.EqualTo(inertia).Within(1e-6 * Math.Abs(inertia)));
    }

    [Test]
    public void A_missing_problem_is_named()
    {
        using var device = on.Open();
        Assert.That(
            () => KMeans.FitBatch([new(Values, Dimension, Clusters), null!], Options, device), Throws.TypeOf<InvalidOptionException>().With.Message.StartsWith("problem 1:"));
    }

    [Test]
    public void Predict_and_sweep_compute_where_they_are_told([Values] ClusterMetric metric)
    {
        using var device = on.Open();
        float[] centroids = Blobs(7, 5), similarities = new float[Rows];
        int[] want = KMeansReference.Run(Values, Dimension, centroids, 0, metric).Labels;
        Assert.That(KMeans.Predict(Values, Dimension, centroids, metric, similarities, device), Is.EqualTo(want));
        Assert.That(similarities, Is.All.InRange(metric == ClusterMetric.Cosine ? -1.000001f : float.MinValue, metric == ClusterMetric.Cosine ? 1.000001f : 0f));
        var sweep = KMeans.SweepK(Values, Dimension, [2, 4], Options with { Metric = metric }, device: device);
        Assert.That(sweep[1].Result.Labels, Is.EqualTo(KMeans.Fit(Values, Dimension, Options with { Metric = metric, Clusters = 4 }, device: device).Labels));
    }

    private static void AssertSame(KMeansResult got, KMeansResult want)
    {
        Assert.Multiple(() =>
        {
            Assert.That(got.Labels, Is.EqualTo(want.Labels));
            Assert.That(got.Counts, Is.EqualTo(want.Counts));
            Assert.That(got.Stop, Is.EqualTo(want.Stop));
            Assert.That(got.Iterations, Is.EqualTo(want.Iterations));
            Assert.That(got.Inertia, Is.EqualTo(want.Inertia).Within(1e-6 * Math.Abs(want.Inertia)));
            for (int i = 0; i < want.Iterations; i++)
            {
                Assert.That(got.InertiaPerIteration[i], Is.EqualTo(want.InertiaPerIteration[i]).Within(1e-6 * Math.Abs(want.InertiaPerIteration[i])), $"iteration {i}");
            }
        });
        Close.Assert(got.Centroids, want.Centroids, 1e-6 * want.Centroids.Max(Math.Abs), "centroids");
        Close.Assert(got.OwnSimilarity, want.OwnSimilarity, 1e-5 * want.OwnSimilarity.Max(Math.Abs), "similarities");
    }

    private static float[] Blobs(int seed, int count)
    {
        float[] centres = Samples.Normal(100 + seed, Clusters * Dimension, 3f), rows = Samples.Normal(seed, count * Dimension, 0.7f);
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] += centres[(i / Dimension % Clusters * Dimension) + (i % Dimension)];
        }

        return rows;
    }
}
