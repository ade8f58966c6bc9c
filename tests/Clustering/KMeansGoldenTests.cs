using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

/// <summary>Lloyd against NumPy (checked there against scikit-learn): labels, centroids and inertia of every iteration.</summary>
[Category("Golden")]
public class KMeansGoldenTests
{
    public static IEnumerable<TestCaseData> Single => Golden.Cases("kmeans", "kmeans_spherical");

    public static IEnumerable<TestCaseData> Batches => Golden.Cases("kmeans_batched");

    private static KMeansAlgorithm[] Exact { get; } = [KMeansAlgorithm.Lloyd, KMeansAlgorithm.Bounded];

    [TestCaseSource(nameof(Single))]
    public void Every_iteration_agrees(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        int n = g.Integer("N"), d = g.Integer("D"), k = g.Integer("K"), iterations = g.Integer("iterations");
        float[] rows = g.Input("x").ToSingle(), initial = g.Input("init").ToSingle();
        foreach (var algorithm in Exact)
        {
            var options = new KMeansOptions
            {
                Clusters = k,
                Metric = g.Op == "kmeans" ? ClusterMetric.Euclidean : ClusterMetric.Cosine,
                Algorithm = algorithm,
                EmptyClusters = EmptyClusterPolicy.Keep,
                Tolerance = 0,
            };
            var labels = new List<float>();
            var centroids = new List<float>();
            double[] inertia = new double[iterations];
            for (int i = 0; i < iterations; i++)
            {
                // The labels of iteration i are those by the centroids after i updates.
                var before = KMeans.Fit(rows, d, options with { MaximumIterations = i }, initial);
                labels.AddRange(before.Labels.Select(label => (float)label));
                inertia[i] = before.Inertia;
                var after = KMeans.Fit(rows, d, options with { MaximumIterations = i + 1 }, initial);
                centroids.AddRange(after.Centroids);
                Assert.That(after.InertiaPerIteration[^1], Is.EqualTo(before.Inertia).Within(1e-7 * Math.Abs(before.Inertia)), "the objective of an iteration is that of its labels");
            }

            g.AssertOutput("labels", labels.ToArray());
            g.AssertOutput("centroids", centroids.ToArray());
            g.AssertOutput("inertia", inertia, "f32");
            Close.Assert(inertia, g.Output("inertia").Values, 1e-6 * Math.Abs(inertia[0]), "inertia, to the limit of definitions");
        }
    }

    [TestCaseSource(nameof(Batches))]
    public void A_batch_of_problems_agrees(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        int d = g.Integer("D"), iterations = g.Integer("iterations");
        float[] rows = g.Input("x").ToSingle(), initial = g.Input("init").ToSingle();
        int[] offsets = g.Input("row_offsets").ToInt32(), clusters = g.Input("clusters").ToInt32();
        var problems = new List<KMeansProblem>();
        for (int p = 0, c = 0; p < clusters.Length; c += clusters[p++])
        {
            problems.Add(new KMeansProblem(rows.AsMemory(offsets[p] * d, (offsets[p + 1] - offsets[p]) * d), d, clusters[p])
            {
                InitialCentroids = initial.AsMemory(c * d, clusters[p] * d),
            });
        }

        var options = new KMeansOptions { EmptyClusters = EmptyClusterPolicy.Keep, Tolerance = 0, MaximumIterations = iterations - 1 };
        g.AssertOutput("labels", [.. KMeans.FitBatch(problems, options).SelectMany(r => r.Labels).Select(label => (float)label)]);
        g.AssertOutput("centroids", [.. KMeans.FitBatch(problems, options with { MaximumIterations = iterations }).SelectMany(r => r.Centroids)]);
    }
}
