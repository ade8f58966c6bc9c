using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

/// <summary>Rows that lie in several processes are clustered as one process with all of them would.</summary>
public class KMeansSharedTests
{
    private const int Dimension = 7, Groups = 9;

    // One whole chunk of k-means++ and a part for three ranks; less than a chunk, so that later ranks have no rows; ragged.
    private static readonly int[] Sizes = [1400, 300, 2600];

    [Test]
    public void Labels_and_centroids_are_those_of_one_process(
        [Values(1, 2, 3)] int ranks, [ValueSource(nameof(Sizes))] int rows, [Values] ClusterMetric metric,
        [Values(KMeansInitialization.PlusPlus, KMeansInitialization.RandomRows)] KMeansInitialization initialization)
    {
        float[] x = Separated(rows);
        var options = new KMeansOptions { Clusters = Groups, Metric = metric, Initialization = initialization, Restarts = 3, Seed = 5 };
        Compare(x, options, ranks, []);
    }

    [Test]
    public void First_centroids_are_bit_for_bit_those_of_one_process(
        [Values(2, 3)] int ranks, [Values] ClusterMetric metric,
        [Values(KMeansInitialization.PlusPlus, KMeansInitialization.RandomRows)] KMeansInitialization initialization, [Values] bool copies)
    {
        // Rows of zeros have no direction; with three different rows the choice runs out of them.
        float[] x = Samples.Normal(3, 1600 * Dimension);
        Array.Clear(x, 20 * Dimension, 30 * Dimension);
        if (copies)
        {
            for (int row = 0; row < 1600; row++)
            {
                x.AsSpan(row % 3 * Dimension, Dimension).CopyTo(x.AsSpan(row * Dimension));
            }
        }

        var options = new KMeansOptions { Clusters = 40, Metric = metric, Initialization = initialization, MaximumIterations = 0, Seed = 8 };
        var one = KMeans.Fit(x, Dimension, options);
        foreach (var rank in Fit(x, options, ranks, []))
        {
            Assert.That(rank.Centroids, Is.EqualTo(one.Centroids));
        }
    }

    [Test]
    public void Clusters_that_lose_their_rows_get_those_that_one_process_gives_them(
        [Values(2, 3)] int ranks, [Values] ClusterMetric metric, [Values] EmptyClusterPolicy policy)
    {
        // Ties go to the first of equal centroids; the farthest rows are copies of each other and lie with different ranks.
        float[] x = Separated(1500), first = new float[Groups * Dimension];
        for (int k = 0; k < Groups; k++)
        {
            x.AsSpan((k < 4 ? k : 0) * Dimension, Dimension).CopyTo(first.AsSpan(k * Dimension));
        }

        for (int row = 0; row < 1500; row += 250)
        {
            x.AsSpan(row * Dimension, Dimension).Fill(-40);
        }

        var options = new KMeansOptions { Clusters = Groups, Metric = metric, EmptyClusters = policy, Tolerance = 0 };
        Compare(x, options, ranks, first);
        Assert.That(KMeans.Fit(x, Dimension, options with { MaximumIterations = 0 }, first).Counts.Count(c => c == 0), Is.EqualTo(5), "clusters start without rows");
    }

    [Test]
    public void A_time_limit_and_a_stop_of_one_process_end_all()
    {
        float[] x = Samples.Normal(6, 1200 * Dimension);
        var options = new KMeansOptions { Clusters = 20, Tolerance = 0, MaximumTime = TimeSpan.FromTicks(1) };
        Assert.That(Fit(x, options, 2, []).Select(r => (r.Stop, r.Iterations)), Is.All.EqualTo((KMeansStop.MaximumTime, 1)));
        int ended = 0;
        ThreadCollective.Run(2, processes =>
        {
            using var device = new CpuDevice(1) { Collective = processes };
            var (from, count) = KMeans.ShareOf(1200, processes);
            Assert.That(
                () => KMeans.FitShared(
                    x.AsSpan(from * Dimension, count * Dimension), 1200, Dimension, options, device, cancellation: new CancellationToken(processes.IsLead)),
                Throws.InstanceOf<OperationCanceledException>());
            return Interlocked.Increment(ref ended);
        });
        Assert.That(ended, Is.EqualTo(2));
    }

    [Test]
    public void What_needs_one_process_and_wrong_shares_are_refused_in_one_sentence()
    {
        float[] x = Samples.Normal(1, 20);
        Refuse<InvalidOptionException>(new KMeansOptions { Clusters = 2, Algorithm = KMeansAlgorithm.MiniBatch }, 10, "Algorithm = MiniBatch is for one process");
        Refuse<InvalidOptionException>(new KMeansOptions { Clusters = 2, Initialization = KMeansInitialization.Parallel }, 10, "Initialization = Parallel");
        Refuse<InvalidOptionException>(new KMeansOptions { Clusters = 11 }, 10, "only 10 rows");
        Refuse<ShapeException>(new KMeansOptions { Clusters = 2 }, 11, "Process 0 of 1 has 10 of 11 rows: 11 from row 0 on are its share");

        void Refuse<T>(KMeansOptions options, int rows, string text) where T : SpkException
        {
            using var device = new CpuDevice(1);
            Assert.That(() => KMeans.FitShared(x, rows, 2, options, device), Throws.TypeOf<T>().With.Message.Contains(text));
        }
    }

    private static void Compare(float[] x, KMeansOptions options, int ranks, float[] first)
    {
        var one = KMeans.Fit(x, Dimension, options, first);
        var all = Fit(x, options, ranks, first);
        double inertia = Math.Abs(one.Inertia);
        foreach (var rank in all)
        {
            Assert.That(rank.Labels, Is.EqualTo(one.Labels));
            Close.Assert(rank.OwnSimilarity, one.OwnSimilarity, 1e-5 * Math.Max(1, one.OwnSimilarity.Max(Math.Abs)), "similarities");
            Assert.That(rank.Centroids, Is.EqualTo(all[0].Centroids), "the same bits on all ranks");
            Close.Assert(rank.Centroids, one.Centroids, 1e-6 * one.Centroids.Max(Math.Abs), "centroids");
            Close.Assert(rank.InertiaPerIteration, one.InertiaPerIteration, 1e-6 * Math.Max(inertia, one.InertiaPerIteration.Max(Math.Abs)), "inertia");
            Assert.That((rank.Stop, rank.Restart), Is.EqualTo((one.Stop, one.Restart)));
            Assert.That(rank.Counts, Is.EqualTo(one.Counts));
            Assert.That(rank.Inertia, Is.EqualTo(one.Inertia).Within(1e-6 * inertia));
            Assert.That(rank.MeanOwnSimilarity, Is.EqualTo(one.MeanOwnSimilarity).Within(1e-6 * Math.Abs(one.MeanOwnSimilarity)));
        }
    }

    private static KMeansResult[] Fit(float[] x, KMeansOptions options, int ranks, float[] first) => ThreadCollective.Run(ranks, processes =>
    {
        using var device = new CpuDevice(1) { Collective = processes };
        int rows = x.Length / Dimension;
        var (from, count) = KMeans.ShareOf(rows, processes);
        var own = KMeans.FitShared(x.AsSpan(from * Dimension, count * Dimension), rows, Dimension, options, device, first);
        Assert.That(own.Labels, Has.Length.EqualTo(count));
        return KMeans.Join(own, rows, processes);
    });

    // Groups far from each other and from the origin, in the order of the rows as they come.
    private static float[] Separated(int rows)
    {
        float[] centres = Samples.Normal(11, Groups * Dimension, 8), x = Samples.Normal(12, rows * Dimension, 0.3f);
        for (int i = 0; i < x.Length; i++)
        {
            x[i] += centres[(i / Dimension * 7 % Groups * Dimension) + (i % Dimension)];
        }

        return x;
    }
}
