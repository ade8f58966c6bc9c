using System.Diagnostics;
using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

public class AgglomerativeTests
{
    private static readonly float[] Line = [0, 1, 4, 5.5f, 20];

    [Test]
    public void Ward_on_a_line_is_what_scipy_gives()
    {
        // Heights by hand: √(2ab/(a+b)) · distance of the means. {0,1}: 1; {4,5.5}: 1.5; both: √2 · 4.25; with {20}: √(8/5) · 17.375.
        var tree = Agglomerative.Fit(Line, 1);
        Merge[] want =
        [
            new(0, 1, 1, 2), new(2, 3, 1.5, 2), new(5, 6, 4.25 * Math.Sqrt(2), 4), new(4, 7, 17.375 * Math.Sqrt(1.6), 5),
        ];
        AssertSame(tree, want, 1e-6);
        Assert.Multiple(() =>
        {
            Assert.That(tree.Cut(1), Is.EqualTo(new[] { 0, 0, 0, 0, 0 }));
            Assert.That(tree.Cut(2), Is.EqualTo(new[] { 0, 0, 0, 0, 1 }));
            Assert.That(tree.Cut(3), Is.EqualTo(new[] { 0, 0, 1, 1, 2 }));
            Assert.That(tree.Cut(4), Is.EqualTo(new[] { 0, 0, 1, 2, 3 }));
            Assert.That(tree.Cut(5), Is.EqualTo(new[] { 0, 1, 2, 3, 4 }));
            Assert.That(tree.CutAt(0.5), Is.EqualTo(tree.Cut(5)));
            Assert.That(tree.CutAt(1.5), Is.EqualTo(tree.Cut(3)), "merges at the very height are kept");
            Assert.That(tree.CutAt(double.PositiveInfinity), Is.EqualTo(tree.Cut(1)));
        });
    }

    [Test]
    public void Average_on_a_line_is_what_scipy_gives()
    {
        var tree = Agglomerative.Fit(Line, 1, new AgglomerativeOptions { Linkage = Linkage.Average });
        AssertSame(tree, [new(0, 1, 1, 2), new(2, 3, 1.5, 2), new(5, 6, 4.25, 4), new(4, 7, 17.375, 5)], 1e-6);
    }

    [TestCase(2, 3, Linkage.Ward, ClusterMetric.Euclidean)]
    [TestCase(33, 1, Linkage.Ward, ClusterMetric.Euclidean)]
    [TestCase(65, 17, Linkage.Ward, ClusterMetric.Euclidean)]
    [TestCase(33, 1, Linkage.Average, ClusterMetric.Euclidean)]
    [TestCase(64, 9, Linkage.Average, ClusterMetric.Euclidean)]
    [TestCase(65, 9, Linkage.Average, ClusterMetric.Cosine)]
    public void The_tree_is_that_of_the_definition(int count, int dimension, Linkage linkage, ClusterMetric metric)
    {
        float[] rows = Samples.Normal(count, count * dimension);
        int[] counts = [.. Enumerable.Range(0, count).Select(i => 1 + (i * 7 % 5))];
        var options = new AgglomerativeOptions { Linkage = linkage, Metric = metric };
        AssertSame(Agglomerative.Fit(rows, dimension, options), Naive(rows, dimension, linkage, metric, [.. counts.Select(_ => 1)]), 1e-5);
        AssertSame(Agglomerative.Fit(rows, dimension, options, counts), Naive(rows, dimension, linkage, metric, counts), 1e-5);
    }

    [Test]
    public void A_row_with_a_count_stands_for_its_copies([Values] Linkage linkage)
    {
        float[] rows = Samples.Normal(3, 12 * 4);
        int[] counts = [.. Enumerable.Range(0, 12).Select(i => 1 + (i % 3))];
        float[] copies = [.. Enumerable.Range(0, 12).SelectMany(i => Enumerable.Range(0, counts[i]).SelectMany(_ => rows[(i * 4)..((i + 1) * 4)]))];
        var options = new AgglomerativeOptions { Linkage = linkage };
        var weighted = Agglomerative.Fit(rows, 4, options, counts);
        var copied = Agglomerative.Fit(copies, 4, options);
        double[] heights = [.. copied.Merges.ToArray().Select(m => m.Height)];
        Assert.That(heights[..^11], Is.All.Zero);
        Close.Assert([.. weighted.Merges.ToArray().Select(m => m.Height)], heights.AsSpan(heights.Length - 11), 1e-5, "heights");
        Assert.That(weighted.Merges[^1].Size, Is.EqualTo(counts.Sum()));
    }

    [TestCase(300, 2)]
    [TestCase(257, 1)]
    public void Many_equal_distances_end_in_a_proper_tree(int count, int dimension)
    {
        // Points on a small grid: nearly all distances occur many times, duplicates included.
        float[] rows = [.. Samples.Normal(5, count * dimension).Select(v => MathF.Round(v * 2))];
        foreach (var linkage in Enum.GetValues<Linkage>())
        {
            var tree = Agglomerative.Fit(rows, dimension, new AgglomerativeOptions { Linkage = linkage });
            var merges = tree.Merges.ToArray();
            Assert.That(merges, Has.Length.EqualTo(count - 1));
            Assert.That(merges.Select(m => m.Height), Is.Ordered);
            Assert.That(merges.SelectMany(m => new[] { m.First, m.Second }).Order(), Is.EqualTo(Enumerable.Range(0, (2 * count) - 2)));
            Assert.That(merges.Select((m, step) => m.First < m.Second && m.Second < count + step), Is.All.True);
            Assert.That(merges[^1].Size, Is.EqualTo(count));
            for (int k = 1; k <= count; k += 16)
            {
                Assert.That(tree.Cut(k).Distinct().Count(), Is.EqualTo(k));
            }
        }
    }

    [Test]
    public void One_row_is_a_tree_without_merges()
    {
        var tree = Agglomerative.Fit([1, 2], 2);
        Assert.That(tree.Merges.Length, Is.Zero);
        Assert.That(tree.Cut(1), Is.EqualTo(new[] { 0 }));
    }

    [Test]
    public void Blobs_are_found([Values] Linkage linkage)
    {
        var (rows, labels) = FeatureMetricsTests.Blobs(21, 400, 16, 7, spread: 0.2f, offset: 3);
        int[] found = Agglomerative.Fit(rows, 16, new AgglomerativeOptions { Linkage = linkage }).Cut(7);
        Assert.That(LabelMetrics.Compare(labels, found).AdjustedRandIndex, Is.EqualTo(1));
    }

    [TestCase(1)]
    [TestCase(2)]
    public void The_number_of_threads_changes_no_bit(int threads)
    {
        float[] rows = Samples.Normal(8, 500 * 10);
        var one = Agglomerative.Fit(rows, 10, new AgglomerativeOptions { Threads = threads });
        Assert.That(one.Merges.ToArray(), Is.EqualTo(Agglomerative.Fit(rows, 10, new AgglomerativeOptions { Threads = 5 }).Merges.ToArray()));
    }

    [Test]
    public void Impossible_requests_are_refused()
    {
        var tree = Agglomerative.Fit(Line, 1);
        Assert.Multiple(() =>
        {
            Assert.That(() => tree.Cut(0), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("1 to 5"));
            Assert.That(() => tree.Cut(6), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => tree.CutAt(double.NaN), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => Agglomerative.Fit(Line, 1, new AgglomerativeOptions { Metric = ClusterMetric.Cosine }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("unit length"));
            Assert.That(() => Agglomerative.Fit(Line, 1, counts: [1, 1, 0, 1, 1]), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("row 2 is 0"));
            Assert.That(() => Agglomerative.Fit(Line, 1, counts: [1]), Throws.TypeOf<ShapeException>());
            Assert.That(() => Agglomerative.Fit(Line, 2), Throws.TypeOf<ShapeException>());
            Assert.That(() => Agglomerative.Fit([1, float.NaN], 1), Throws.TypeOf<NonFiniteException>().With.Message.Contains("row 1"));
            Assert.That(() => Agglomerative.Fit([1e30f, -1e30f], 1), Throws.TypeOf<NonFiniteException>().With.Message.Contains("rows 0 and 1"));
            Assert.That(() => Agglomerative.Fit(Line, 1, cancellation: new CancellationToken(true)), Throws.InstanceOf<OperationCanceledException>());
        });
    }

    [Test, Category("Slow")]
    public void Ten_thousand_centroids_are_joined()
    {
        var (rows, labels) = FeatureMetricsTests.Blobs(22, 10_000, 192, 1500, spread: 0.6f, offset: 0);
        var clock = Stopwatch.StartNew();
        var tree = Agglomerative.Fit(rows, 192);
        TestContext.Out.WriteLine($"tree of 10000 x 192: {clock.Elapsed.TotalSeconds:0.0} s");

        // Large enough that searches and updates run on several threads.
        Assert.That(Agglomerative.Fit(rows, 192, new AgglomerativeOptions { Threads = 1 }).Merges.SequenceEqual(tree.Merges));
        Assert.That(LabelMetrics.Completeness(ContingencyTable.Build(labels, tree.Cut(1500))), Is.GreaterThan(0.95));
    }

    private static void AssertSame(Dendrogram tree, Merge[] want, double limit)
    {
        Assert.That(tree.Merges.ToArray().Select(m => (m.First, m.Second, m.Size)), Is.EqualTo(want.Select(m => (m.First, m.Second, m.Size))));
        Close.Assert([.. tree.Merges.ToArray().Select(m => m.Height)], [.. want.Select(m => m.Height)], limit * want.Max(m => m.Height), "heights");
    }

    // Joins the nearest two of all clusters, measured by the definition of the linkage, until one is left.
    private static Merge[] Naive(float[] rows, int dimension, Linkage linkage, ClusterMetric metric, int[] counts)
    {
        var clusters = counts.Select((_, i) => (Name: i, Members: new List<int> { i })).ToList();
        var merges = new List<Merge>();
        while (clusters.Count > 1)
        {
            var (height, i, j) = (from a in Enumerable.Range(0, clusters.Count)
                                  from b in Enumerable.Range(a + 1, clusters.Count - a - 1)
                                  select (Height(clusters[a].Members, clusters[b].Members), a, b)).Min();
            var (first, second) = (clusters[i], clusters[j]);
            List<int> members = [.. first.Members, .. second.Members];
            merges.Add(new Merge(Math.Min(first.Name, second.Name), Math.Max(first.Name, second.Name), height, members.Sum(m => counts[m])));
            clusters.RemoveAt(j);
            clusters[i] = (counts.Length + merges.Count - 1, members);
        }

        return [.. merges];

        double Height(List<int> a, List<int> b)
        {
            double weightA = a.Sum(m => counts[m]), weightB = b.Sum(m => counts[m]), sum = 0;
            if (linkage == Linkage.Ward)
            {
                for (int d = 0; d < dimension; d++)
                {
                    double difference = (a.Sum(m => counts[m] * (double)rows[(m * dimension) + d]) / weightA) - (b.Sum(m => counts[m] * (double)rows[(m * dimension) + d]) / weightB);
                    sum += difference * difference;
                }

                return Math.Sqrt(sum * 2 * weightA * weightB / (weightA + weightB));
            }

            foreach (int m in a)
            {
                foreach (int n in b)
                {
                    double dot = 0, first = 0, second = 0, squares = 0;
                    for (int d = 0; d < dimension; d++)
                    {
                        double x = rows[(m * dimension) + d], y = rows[(n * dimension) + d];
                        (dot, first, second, squares) = (dot + (x * y), first + (x * x), second + (y * y), squares + ((x - y) * (x - y)));
                    }

                    sum += counts[m] * counts[n] * (metric == ClusterMetric.Cosine ? 1 - (dot / Math.Sqrt(first * second)) : Math.Sqrt(squares));
                }
            }

            return sum / (weightA * weightB);
        }
    }
}
