using System.Diagnostics;
using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Numerics;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

public class LabelMetricsTests
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "clustering_labels" } })]
    public void Golden_labels_give_the_reference_figures(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        var agreement = LabelMetrics.Compare(g.Input("labels_true").ToInt32(), g.Input("labels_pred").ToInt32());
        foreach (string output in g.Outputs)
        {
            double got = output switch
            {
                "nmi_arithmetic" => agreement.NormalizedMutualInformation,
                "nmi_geometric" => agreement.NormalizedMutualInformationGeometric,
                "ari" => agreement.AdjustedRandIndex,
                "ami_arithmetic" => agreement.AdjustedMutualInformation,
                "homogeneity" => agreement.Homogeneity,
                "completeness" => agreement.Completeness,
                "v_measure" => agreement.VMeasure,
                "accuracy_hungarian" => agreement.Accuracy,
                "purity" => agreement.Purity,
                "fowlkes_mallows" => agreement.FowlkesMallows,
                _ => throw new AssertionException($"no measure for {output}"),
            };
            g.AssertOutput(output, [got], "f64");
        }

        Assert.That(g.Outputs.Count(), Is.EqualTo(10));
    }

    [Test]
    public void The_table_counts_every_pair_of_labels()
    {
        var table = ContingencyTable.Build([5, 5, -1, 5, 900, -1], [2, 2, 2, 7, 7, 2]);
        Assert.Multiple(() =>
        {
            Assert.That(table.ClassLabels.ToArray(), Is.EqualTo(new[] { -1, 5, 900 }));
            Assert.That(table.ClusterLabels.ToArray(), Is.EqualTo(new[] { 2, 7 }));
            Assert.That(table.ClassSizes.ToArray(), Is.EqualTo(new[] { 2, 3, 1 }));
            Assert.That(table.ClusterSizes.ToArray(), Is.EqualTo(new[] { 4, 2 }));
            Assert.That(table.Cells, Is.EqualTo(4));
            Assert.That(new[] { table.Count(0, 0), table.Count(0, 1), table.Count(1, 0), table.Count(1, 1), table.Count(2, 0), table.Count(2, 1) },
                Is.EqualTo(new[] { 2, 0, 2, 1, 0, 1 }));
        });
    }

    [Test]
    public void Labels_far_apart_count_as_labels_close_together()
    {
        var (truth, predicted) = Labels(3, 400, 13, 17, 0.5);
        int[] far = [.. predicted.Select(label => (label * 123_456_789) - int.MaxValue)];
        Assert.That(LabelMetrics.Compare(truth, far), Is.EqualTo(LabelMetrics.Compare(truth, predicted)).Using<ClusterAgreement>(SameWithinRounding));
    }

    [Test]
    public void A_hand_computed_case_is_met()
    {
        // Classes {4, 2}, clusters {3, 3}, cells 3, 1, 2.
        var agreement = LabelMetrics.Compare([0, 0, 0, 0, 1, 1], [0, 0, 0, 1, 1, 1]);
        double classes = -((2 / 3.0 * Math.Log(2 / 3.0)) + (1 / 3.0 * Math.Log(1 / 3.0))), clusters = Math.Log(2);
        double information = (0.5 * Math.Log(1.5)) + (1 / 6.0 * Math.Log(0.5)) + (1 / 3.0 * Math.Log(2));
        Assert.Multiple(() =>
        {
            Assert.That(agreement.Accuracy, Is.EqualTo(5 / 6.0).Within(1e-15));
            Assert.That(agreement.Purity, Is.EqualTo(5 / 6.0).Within(1e-15));
            Assert.That(agreement.Homogeneity, Is.EqualTo(information / classes).Within(1e-14));
            Assert.That(agreement.Completeness, Is.EqualTo(information / clusters).Within(1e-14));
            Assert.That(agreement.NormalizedMutualInformation, Is.EqualTo(2 * information / (classes + clusters)).Within(1e-14));
            Assert.That(agreement.VMeasure, Is.EqualTo(agreement.NormalizedMutualInformation).Within(1e-14));

            // Pairs: 4 in the same cell, 7 of the same class, 6 of the same cluster, 15 in all.
            Assert.That(agreement.AdjustedRandIndex, Is.EqualTo((4 - (7 * 6 / 15.0)) / (6.5 - (7 * 6 / 15.0))).Within(1e-14));
            Assert.That(agreement.FowlkesMallows, Is.EqualTo(4 / Math.Sqrt(7 * 6)).Within(1e-14));
        });
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(3)]
    public void Accuracy_is_the_best_of_all_matchings(int seed)
    {
        var (truth, predicted) = Labels(seed, 60, 5, 7, 0.6);
        var table = ContingencyTable.Build(truth, predicted);
        int best = Permutations(table.Clusters).Max(order => Enumerable.Range(0, table.Classes).Sum(i => table.Count(i, order[i])));
        Assert.That(LabelMetrics.Accuracy(table), Is.EqualTo(best / 60.0).Within(1e-15));
    }

    [TestCase(1, 1)]
    [TestCase(2, 0.5)]
    [TestCase(3, 0)]
    public void The_expected_mutual_information_is_the_mean_over_all_arrangements(int seed, double noise)
    {
        // 7 points: all 5040 orders of the predicted labels against fixed true ones.
        var (truth, predicted) = Labels(seed, 7, 3, 3, noise);
        double mean = Permutations(7).Average(order => LabelMetrics.MutualInformation(ContingencyTable.Build(truth, [.. order.Select(i => predicted[i])])));
        var table = ContingencyTable.Build(truth, predicted);
        double got = ExpectedMutualInformation.Compute(table.ClassSizes, table.ClusterSizes, 7, new ParallelOptions());
        Assert.That(got, Is.EqualTo(mean).Within(1e-12));
    }

    [Test]
    public void The_expected_mutual_information_agrees_with_the_sum_by_factorials()
    {
        int[] a = [1, 5, 90, 404], b = [250, 249, 1];
        double[] logFactorial = new double[501];
        for (int i = 1; i < logFactorial.Length; i++)
        {
            logFactorial[i] = logFactorial[i - 1] + Math.Log(i);
        }

        double want = 0;
        foreach (int x in a)
        {
            foreach (int y in b)
            {
                for (int k = Math.Max(1, x + y - 500); k <= Math.Min(x, y); k++)
                {
                    double log = logFactorial[x] + logFactorial[y] + logFactorial[500 - x] + logFactorial[500 - y] - logFactorial[500]
                        - logFactorial[k] - logFactorial[x - k] - logFactorial[y - k] - logFactorial[500 - x - y + k];
                    want += k / 500.0 * Math.Log(500.0 * k / ((double)x * y)) * Math.Exp(log);
                }
            }
        }

        Assert.That(ExpectedMutualInformation.Compute(a, b, 500, new ParallelOptions()), Is.EqualTo(want).Within(1e-12));
    }

    [Test]
    public void Equal_partitions_score_one_however_they_are_numbered()
    {
        int[] truth = [3, 3, 8, 8, 8, -4, 1], renamed = [0, 0, 5, 5, 5, 2, 9];
        int[] single = [.. Enumerable.Range(0, 50)];
        foreach (var agreement in new[] { LabelMetrics.Compare(truth, renamed), LabelMetrics.Compare(single, [.. single.Reverse()]) })
        {
            Assert.Multiple(() =>
            {
                Assert.That(agreement.Accuracy, Is.EqualTo(1));
                Assert.That(agreement.Purity, Is.EqualTo(1));
                Assert.That(agreement.AdjustedRandIndex, Is.EqualTo(1));
                Assert.That(agreement.AdjustedMutualInformation, Is.EqualTo(1));
                Assert.That(agreement.NormalizedMutualInformation, Is.EqualTo(1).Within(1e-14));
                Assert.That(agreement.Completeness, Is.EqualTo(1).Within(1e-14));
                Assert.That(agreement.Homogeneity, Is.EqualTo(1).Within(1e-14));
            });
        }
    }

    [Test]
    public void Independent_labels_share_nothing()
    {
        int[] truth = [.. Enumerable.Range(0, 600).Select(i => i % 20)], predicted = [.. Enumerable.Range(0, 600).Select(i => i / 20)];
        var agreement = LabelMetrics.Compare(truth, predicted);
        Assert.Multiple(() =>
        {
            Assert.That(agreement.NormalizedMutualInformation, Is.Zero);
            Assert.That(agreement.Homogeneity, Is.Zero);
            Assert.That(agreement.VMeasure, Is.Zero);
            Assert.That(agreement.AdjustedMutualInformation, Is.LessThan(0));
            Assert.That(agreement.FowlkesMallows, Is.Zero);
        });
    }

    [Test]
    public void Labels_at_odds_are_refused()
    {
        Assert.That(() => LabelMetrics.Compare([1, 2], [1]), Throws.TypeOf<ShapeException>().With.Message.Contains("2 true and 1 predicted"));
        Assert.That(() => LabelMetrics.Compare([], []), Throws.TypeOf<ShapeException>());
        Assert.That(() => LabelMetrics.Compare([1], [1], threads: -1), Throws.TypeOf<InvalidOptionException>());
    }

    [TestCase(1)]
    [TestCase(2)]
    [TestCase(5)]
    public void The_number_of_threads_changes_no_bit(int threads)
    {
        var (truth, predicted) = Labels(9, 20_000, 300, 500, 0.3);
        Assert.That(LabelMetrics.Compare(truth, predicted, threads), Is.EqualTo(LabelMetrics.Compare(truth, predicted, threads: 3)));
    }

    [Test, Category("Slow")]
    public void A_million_labels_of_thousands_of_clusters_are_compared([Values(0.0, 0.3, 1.0)] double noise)
    {
        var (truth, predicted) = Labels(11, 1_000_000, 6000, 10_000, noise);
        var clock = Stopwatch.StartNew();
        var table = ContingencyTable.Build(truth, predicted);
        double build = clock.Elapsed.TotalSeconds;
        double accuracy = LabelMetrics.Accuracy(table);
        double matching = clock.Elapsed.TotalSeconds - build;
        double chance = LabelMetrics.AdjustedMutualInformation(table);
        double ami = clock.Elapsed.TotalSeconds - build - matching;
        var agreement = LabelMetrics.Compare(table);
        TestContext.Out.WriteLine($"noise {noise}: table {build:0.000} s ({table.Cells} cells), matching {matching:0.000} s, AMI {ami:0.000} s; ACC {accuracy:0.0000}, AMI {chance:0.0000}");
        Assert.Multiple(() =>
        {
            Assert.That(agreement.VMeasure, Is.EqualTo(agreement.NormalizedMutualInformation).Within(1e-12));
            Assert.That(agreement.Accuracy, Is.LessThanOrEqualTo(agreement.Purity));

            // Labels drawn without a look at the classes: the correction for chance must take all agreement away.
            Assert.That(agreement.AdjustedMutualInformation, noise == 1 ? Is.EqualTo(0).Within(1e-3) : Is.GreaterThan(0.5));
            Assert.That(agreement.AdjustedRandIndex, noise == 1 ? Is.EqualTo(0).Within(1e-3) : Is.GreaterThan(0.2));
            Assert.That(clock.Elapsed.TotalSeconds, Is.LessThan(120));
        });
    }

    /// <summary>Uniform classes; each cluster follows its point's class, but a share of points is put anywhere.</summary>
    internal static (int[] Truth, int[] Predicted) Labels(int seed, int points, int classes, int clusters, double noise)
    {
        var random = new CounterRandom((ulong)seed, RandomPurpose.Clustering);
        int[] truth = new int[points], predicted = new int[points];
        for (int i = 0; i < points; i++)
        {
            truth[i] = random.NextInt(classes);
            predicted[i] = random.NextFloat() < noise ? random.NextInt(clusters)
                : ((truth[i] * 31) + (random.NextInt(2) * 7)) % clusters;
        }

        return (truth, predicted);
    }

    private static bool SameWithinRounding(ClusterAgreement x, ClusterAgreement y) =>
        x.Accuracy == y.Accuracy && x.Purity == y.Purity && x.AdjustedRandIndex == y.AdjustedRandIndex
        && Math.Abs(x.NormalizedMutualInformation - y.NormalizedMutualInformation) < 1e-13
        && Math.Abs(x.AdjustedMutualInformation - y.AdjustedMutualInformation) < 1e-13;

    private static IEnumerable<int[]> Permutations(int count)
    {
        if (count == 0)
        {
            yield return [];
            yield break;
        }

        foreach (int[] shorter in Permutations(count - 1))
        {
            for (int place = 0; place < count; place++)
            {
                yield return [.. shorter[..place], count - 1, .. shorter[place..]];
            }
        }
    }
}
