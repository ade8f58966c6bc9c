using System.Diagnostics;
using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Numerics;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

public class FeatureMetricsTests
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "clustering_features" } })]
    public void Golden_points_give_the_reference_figures(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        var x = g.Input("x");
        float[] rows = x.ToSingle();
        int dimension = x.Shape[1];
        int[] labels = g.Input("labels").ToInt32();
        foreach (string output in g.Outputs)
        {
            double[] got = output switch
            {
                "silhouette_euclidean" => [FeatureMetrics.Silhouette(rows, dimension, labels)],
                "silhouette_cosine" => [FeatureMetrics.Silhouette(rows, dimension, labels, ClusterMetric.Cosine)],
                "silhouette_samples_euclidean" => FeatureMetrics.SilhouetteOfPoints(rows, dimension, labels),
                "calinski_harabasz" => [FeatureMetrics.CalinskiHarabasz(rows, dimension, labels)],
                "davies_bouldin" => [FeatureMetrics.DaviesBouldin(rows, dimension, labels)],
                _ => throw new AssertionException($"no measure for {output}"),
            };
            g.AssertOutput(output, got, "f32");
        }

        Assert.That(g.Outputs.Count(), Is.EqualTo(5));
    }

    [TestCase(3, 1, 2)]
    [TestCase(31, 5, 3)]
    [TestCase(32, 16, 4)]
    [TestCase(33, 17, 12)]
    [TestCase(100, 33, 70)]
    [TestCase(257, 64, 2)]
    public void Silhouettes_are_those_of_the_definition(int count, int dimension, int clusters)
    {
        var (rows, labels) = Blobs(count + dimension, count, dimension, clusters, spread: 0.7f, offset: 100);
        foreach (var metric in Enum.GetValues<ClusterMetric>())
        {
            rows.AsSpan(0, dimension).Clear();
            double[] want = NaiveSilhouettes(rows, dimension, labels, metric);
            Close.Assert(FeatureMetrics.SilhouetteOfPoints(rows, dimension, labels, metric), want, metric == ClusterMetric.Euclidean ? 1e-5 : 1e-3, $"{metric}");
        }
    }

    [Test]
    public void Close_clusters_far_from_the_origin_lose_no_digits()
    {
        // As products, squared distances of 1e-4 next to squared lengths of 1e6 would be noise.
        var (rows, labels) = Blobs(4, 60, 8, 3, spread: 1f / 512, offset: 1024);
        Close.Assert(FeatureMetrics.SilhouetteOfPoints(rows, 8, labels), NaiveSilhouettes(rows, 8, labels, ClusterMetric.Euclidean), 1e-5, "silhouettes");
    }

    [Test]
    public void A_hand_computed_case_is_met()
    {
        float[] rows = [0, 1, 10, 12, 100];
        int[] labels = [4, 4, -1, -1, 7];

        // Distances of row 0: 1 to its own, (10 + 12)/2 and 100 to the others; and so on. The last row is alone.
        double[] silhouettes = [10 / 11.0, 9 / 10.0, (9.5 - 2) / 9.5, (11.5 - 2) / 11.5, 0];
        Close.Assert(FeatureMetrics.SilhouetteOfPoints(rows, 1, labels), silhouettes, 1e-7, "silhouettes");
        Assert.Multiple(() =>
        {
            Assert.That(FeatureMetrics.Silhouette(rows, 1, labels), Is.EqualTo(silhouettes.Average()).Within(1e-7));

            // Means 0.5, 11, 100 around 24.6; within 0.5 + 2.
            double between = (2 * 24.1 * 24.1) + (2 * 13.6 * 13.6) + (75.4 * 75.4);
            Assert.That(FeatureMetrics.CalinskiHarabasz(rows, 1, labels), Is.EqualTo(between / 2 / (2.5 / 2)).Within(1e-9));
            Assert.That(FeatureMetrics.DaviesBouldin(rows, 1, labels), Is.EqualTo(((1.5 / 10.5) + (1.5 / 10.5) + (1 / 89.0)) / 3).Within(1e-12));
        });
    }

    [Test]
    public void Copies_of_two_points_are_perfect_or_worthless_clusters()
    {
        float[] rows = [1, 2, 1, 2, 3, 4, 3, 4];
        Assert.Multiple(() =>
        {
            Assert.That(FeatureMetrics.Silhouette(rows, 2, [0, 0, 1, 1]), Is.EqualTo(1));
            Assert.That(FeatureMetrics.CalinskiHarabasz(rows, 2, [0, 0, 1, 1]), Is.EqualTo(1));
            Assert.That(FeatureMetrics.DaviesBouldin(rows, 2, [0, 0, 1, 1]), Is.Zero);
            Assert.That(FeatureMetrics.DaviesBouldin(rows, 2, [0, 1, 0, 1]), Is.Zero, "centroids coincide");
            Assert.That(FeatureMetrics.Silhouette([5, 5, 5, 5], 1, [0, 0, 1, 1]), Is.Zero, "all points coincide");
        });
    }

    [Test]
    public void A_sample_of_all_points_is_exact_and_a_part_is_near()
    {
        var (rows, labels) = Blobs(8, 3000, 6, 5, spread: 0.5f, offset: 0);
        double exact = FeatureMetrics.Silhouette(rows, 6, labels);
        double part = FeatureMetrics.SilhouetteSampled(rows, 6, labels, 1000, seed: 4), again = FeatureMetrics.SilhouetteSampled(rows, 6, labels, 1000, seed: 4);
        Assert.Multiple(() =>
        {
            Assert.That(FeatureMetrics.SilhouetteSampled(rows, 6, labels, 3000, seed: 4), Is.EqualTo(exact));
            Assert.That(part, Is.EqualTo(exact).Within(0.03));
            Assert.That(again, Is.EqualTo(part));
            Assert.That(FeatureMetrics.SilhouetteSampled(rows, 6, labels, 1000, seed: 5), Is.Not.EqualTo(part));
        });
    }

    [Test]
    public void Labels_without_a_verdict_are_refused()
    {
        float[] rows = [1, 2, 3];
        Assert.Multiple(() =>
        {
            Assert.That(() => FeatureMetrics.Silhouette(rows, 1, [1, 1, 1]), Throws.TypeOf<ShapeException>().With.Message.Contains("1 cluster of 3 rows"));
            Assert.That(() => FeatureMetrics.CalinskiHarabasz(rows, 1, [1, 2, 3]), Throws.TypeOf<ShapeException>().With.Message.Contains("2 to N − 1 = 2"));
            Assert.That(() => FeatureMetrics.DaviesBouldin(rows, 1, [1, 2]), Throws.TypeOf<ShapeException>().With.Message.Contains("2 labels for 3 rows"));
            Assert.That(() => FeatureMetrics.Silhouette(rows, 2, [1, 2]), Throws.TypeOf<ShapeException>().With.Message.Contains("dimension 2"));
            Assert.That(() => FeatureMetrics.Silhouette([1, float.NaN, 3], 1, [1, 2, 2]), Throws.TypeOf<NonFiniteException>().With.Message.Contains("row 1, column 0"));
            Assert.That(() => FeatureMetrics.Silhouette([1e30f, -1e30f, 3], 1, [1, 2, 2]), Throws.TypeOf<NonFiniteException>().With.Message.Contains("overflow"));
            Assert.That(() => FeatureMetrics.SilhouetteSampled(rows, 1, [1, 2, 2], 4), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => FeatureMetrics.Silhouette(rows, 1, [1, 2, 2], cancellation: new CancellationToken(true)), Throws.InstanceOf<OperationCanceledException>());
        });
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(7)]
    public void The_number_of_threads_changes_no_bit(int threads)
    {
        var (rows, labels) = Blobs(6, 999, 20, 9, spread: 1, offset: 0);
        Assert.Multiple(() =>
        {
            Assert.That(FeatureMetrics.SilhouetteOfPoints(rows, 20, labels, threads: threads), Is.EqualTo(FeatureMetrics.SilhouetteOfPoints(rows, 20, labels, threads: 3)));
            Assert.That(FeatureMetrics.CalinskiHarabasz(rows, 20, labels, threads), Is.EqualTo(FeatureMetrics.CalinskiHarabasz(rows, 20, labels, 3)));
            Assert.That(FeatureMetrics.DaviesBouldin(rows, 20, labels, threads), Is.EqualTo(FeatureMetrics.DaviesBouldin(rows, 20, labels, 3)));
        });
    }

    [Test, Category("Slow")]
    public void Twenty_thousand_embeddings_take_seconds_and_no_distance_matrix()
    {
        var (rows, labels) = Blobs(12, 20_000, 192, 500, spread: 1.5f, offset: 0);
        long before = GC.GetTotalAllocatedBytes(precise: true);
        var clock = Stopwatch.StartNew();
        double silhouette = FeatureMetrics.Silhouette(rows, 192, labels, ClusterMetric.Cosine);
        double seconds = clock.Elapsed.TotalSeconds;
        double calinski = FeatureMetrics.CalinskiHarabasz(rows, 192, labels), davies = FeatureMetrics.DaviesBouldin(rows, 192, labels);
        TestContext.Out.WriteLine($"silhouette {silhouette:0.0000} in {seconds:0.00} s; CHS {calinski:0.00} and DBS {davies:0.00} in {clock.Elapsed.TotalSeconds - seconds:0.00} s");
        Assert.That(silhouette, Is.InRange(0, 1));
        Assert.That(GC.GetTotalAllocatedBytes(precise: true) - before, Is.LessThan(100 << 20));
    }

    /// <summary>Normal clouds around normal centres; labels 0 to clusters − 1, each at least once.</summary>
    internal static (float[] Rows, int[] Labels) Blobs(int seed, int count, int dimension, int clusters, float spread, float offset)
    {
        float[] centres = Samples.Normal(seed, clusters * dimension), rows = Samples.Normal(seed + 1000, count * dimension, spread);
        var random = new CounterRandom((ulong)seed, RandomPurpose.Clustering);
        int[] labels = new int[count];
        for (int i = 0; i < count; i++)
        {
            labels[i] = i < clusters ? i : random.NextInt(clusters);
            for (int d = 0; d < dimension; d++)
            {
                rows[(i * dimension) + d] += centres[(labels[i] * dimension) + d] + offset;
            }
        }

        return (rows, labels);
    }

    private static double[] NaiveSilhouettes(float[] rows, int dimension, int[] labels, ClusterMetric metric)
    {
        double[] result = new double[labels.Length];
        for (int i = 0; i < labels.Length; i++)
        {
            var means = labels.Distinct().ToDictionary(label => label, label =>
            {
                double[] distances = [.. Enumerable.Range(0, labels.Length).Where(j => j != i && labels[j] == label).Select(j => Distance(rows, dimension, i, j, metric))];
                return distances.Length == 0 ? double.NaN : distances.Average();
            });
            double a = means[labels[i]], b = means.Where(m => m.Key != labels[i]).Min(m => m.Value);
            result[i] = double.IsNaN(a) ? 0 : (b - a) / Math.Max(a, b);
        }

        return result;
    }

    private static double Distance(float[] rows, int dimension, int i, int j, ClusterMetric metric)
    {
        double dot = 0, first = 0, second = 0, difference = 0;
        for (int d = 0; d < dimension; d++)
        {
            double x = rows[(i * dimension) + d], y = rows[(j * dimension) + d];
            (dot, first, second, difference) = (dot + (x * y), first + (x * x), second + (y * y), difference + ((x - y) * (x - y)));
        }

        return metric == ClusterMetric.Euclidean ? Math.Sqrt(difference) : first == 0 || second == 0 ? 1 : 1 - (dot / Math.Sqrt(first * second));
    }
}
