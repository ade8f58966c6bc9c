using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

/// <summary>
/// Starts of the problems of a batch on a GPU against the CPU's. Rows, weights and so all sums are integers, which both add without rounding: what is drawn
/// is the same row, and first centroids have the same bits.
/// </summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class KMeansStartsTests(TestDevice on)
{
    private const int Dimension = 3;

    // Rows of one, two and three chunks of 512, and to the row; candidates of more and of fewer than the warps of a block; another start, which has random
    // numbers of its own.
    [TestCase(false, 1, 0)]
    [TestCase(true, 9, 1)]
    [Category("Sanitized")]
    public void First_centroids_are_those_of_the_cpu(bool weighted, int candidates, int restarts)
    {
        const int clusters = 7;
        var options = new KMeansOptions { MaximumIterations = 0, PlusPlusCandidates = candidates, Restarts = restarts + 1, Seed = 40 };
        KMeansProblem[] problems = [.. new[] { 1030, 1024, 600, 1200, 512 }.Select((rows, p) =>
            new KMeansProblem(Integers(p, rows, 500), Dimension, clusters)
            {
                Weights = weighted ? Enumerable.Range(0, rows).Select(i => (float)((i + p) % 3)).ToArray() : default(ReadOnlyMemory<float>),
                Seed = p < 3 ? (ulong)p : null,
                InitialCentroids = p == 2 && restarts == 0 ? Integers(9, clusters, 500) : default(ReadOnlyMemory<float>),
            })];
        AssertFirstCentroids(problems, options);
    }

    // A problem that runs out of distinct rows draws no more, and copies fill up; the others go on. Neighbours are at distance 1, as rows are that have none yet.
    [Test]
    public void Rows_that_are_few_places_are_chosen_as_on_the_cpu([Values(1, 3)] int candidates)
    {
        var options = new KMeansOptions { MaximumIterations = 0, PlusPlusCandidates = candidates };
        KMeansProblem[] problems = [.. new[] { 1, 2, 3, 8 }.Select(places =>
            new KMeansProblem(Enumerable.Range(0, 40 * Dimension).Select(i => i % Dimension == 0 ? (float)(i / Dimension % places) : 0f).ToArray(), Dimension, 5) { Seed = (ulong)places })];
        AssertFirstCentroids(problems, options);
    }

    // k-means++: weights; for each centroid draws, trials, and what is taken of the trials, which the last has no need of; the last choice. Both: the rows.
    [TestCase(KMeansInitialization.PlusPlus, 3, (3 * 3) + 2, 1)]
    [TestCase(KMeansInitialization.PlusPlus, 5, (3 * 5) + 2, 1)]
    [TestCase(KMeansInitialization.RandomRows, 5, 1, 0)]
    public void Launches_and_waits_for_first_centroids_do_not_grow_with_the_problems(KMeansInitialization initialization, int clusters, int launches, int waits)
    {
        var (one, five) = (Work(1), Work(5));
        Assert.That((one.Launches.Count, one.Waits), Is.EqualTo((launches, waits)));
        Assert.That(five.Launches, Is.EqualTo(one.Launches));
        Assert.That(five.Waits, Is.EqualTo(waits));

        // Before rows are labelled.
        (List<string> Launches, int Waits) Work(int count)
        {
            var waits = new CountedWaits();
            using var device = (CudaDevice)on.Open();
            device.Collective = waits;
            var launched = new List<string>();
            int waited = -1;
            device.Launching = kernel =>
            {
                waited = waited < 0 && kernel.Name == "k_means_assign_norms" ? waits.Count : waited;
                if (waited < 0)
                {
                    launched.Add(kernel.Name);
                }
            };
            KMeansProblem[] problems = [.. Enumerable.Range(0, count).Select(p => new KMeansProblem(Integers(p, 50 + p, 100), Dimension, clusters))];
            KMeans.FitBatch(problems, new KMeansOptions { Initialization = initialization, MaximumIterations = 1 }, device);
            device.Launching = null;
            device.Collective = Collective.Alone;
            return (launched, waited);
        }
    }

    // Random rows of few places begin with copies, all but one of which are empty.
    [Test]
    public void Empty_clusters_are_filled_in_later_starts([Values(EmptyClusterPolicy.Farthest, EmptyClusterPolicy.Split)] EmptyClusterPolicy policy)
    {
        const int clusters = 5;
        var options = new KMeansOptions
        {
            Clusters = clusters,
            EmptyClusters = policy,
            Initialization = KMeansInitialization.RandomRows,
            Restarts = 4,
            Tolerance = 0,
            MaximumIterations = 4,
        };
        KMeansProblem[] problems = [.. Enumerable.Range(0, 6).Select(p =>
        {
            float[] places = Integers(20 + p, 9, 50);
            float[] rows = [.. Enumerable.Range(0, 60 * Dimension).Select(i => places[(i / Dimension % 9 * Dimension) + (i % Dimension)])];
            return new KMeansProblem(rows, Dimension, clusters) { Seed = (ulong)p };
        })];
        using var device = (CudaDevice)on.Open();
        using var cpu = new CpuDevice(1);
        var results = KMeans.FitBatch(problems, options, device);
        int won = 0, lost = 0;
        for (int p = 0; p < problems.Length; p++)
        {
            var told = new Told();
            var want = KMeans.Fit(problems[p].Rows.Span, Dimension, options with { Seed = (ulong)p }, device: cpu, progress: told);
            var filled = told.All.Where(one => one.EmptyClusters > 0).Select(one => one.Restart).ToHashSet();
            won += want.Restart > 0 && filled.Contains(want.Restart) ? 1 : 0;
            lost += filled.Any(restart => restart > want.Restart) ? 1 : 0;
            Assert.That(results[p].Labels, Is.EqualTo(want.Labels), $"problem {p}");
            Assert.That((results[p].Restart, results[p].Stop, results[p].Iterations), Is.EqualTo((want.Restart, want.Stop, want.Iterations)), $"problem {p}");
            Assert.That(results[p].InertiaPerIteration, Is.EqualTo(want.InertiaPerIteration).Within(1e-4).Percent, $"problem {p}");
            Close.Assert(results[p].Centroids, want.Centroids, 1e-5, $"problem {p}");
        }

        Assert.That(won, Is.GreaterThan(0), "a later start wins with what was filled");
        Assert.That(lost, Is.GreaterThan(0), "filling in a later start leaves the centroids of an earlier one that wins alone");
    }

    private void AssertFirstCentroids(KMeansProblem[] problems, KMeansOptions options)
    {
        using var device = (CudaDevice)on.Open();
        using var cpu = new CpuDevice(1);
        var (got, want) = (KMeans.FitBatch(problems, options, device), KMeans.FitBatch(problems, options, cpu));
        for (int p = 0; p < problems.Length; p++)
        {
            Assert.That(got[p].Centroids, Is.EqualTo(want[p].Centroids), $"problem {p}");
            Assert.That(got[p].Restart, Is.EqualTo(want[p].Restart), $"problem {p}");
        }
    }

    private static float[] Integers(int seed, int count, int largest) => [.. Samples.Normal(seed, count * Dimension).Select(v => MathF.Round(v * largest / 4))];

    private sealed class Told : IProgress<KMeansProgress>
    {
        public List<KMeansProgress> All { get; } = [];

        public void Report(KMeansProgress value) => All.Add(value);
    }
}
