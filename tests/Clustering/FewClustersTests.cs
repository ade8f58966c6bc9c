using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

/// <summary>The search for few clusters gives the labels and objectives of the general one.</summary>
public unsafe class FewClustersTests
{
    [Test]
    public void Labels_changes_and_objective_follow_the_reference(
        [Values] ClusterMetric metric, [Values(1, 31, 33, 1030)] int count, [Values(1, 16, 50)] int dimension, [Values(1, 11, 20, 36)] int clusters, [Values(1, 3)] int threads)
    {
        float[] rows = Samples.Normal(1, count * dimension), centroids = Samples.Normal(2, clusters * dimension), distances = new float[count];
        int[] labels = new int[count], want = new int[count];
        Array.Fill(labels, -1);
        double objective = KMeansReference.Assign(rows, dimension, centroids, metric, null, want);
        using var cpu = new CpuDevice(threads);
        fixed (float* x = rows, c = centroids, d = distances)
        fixed (int* to = labels)
        {
            var data = new KMeansData { Rows = x, Count = count, Dimension = dimension };
            using var few = FewClusters.Create(cpu, data, metric, clusters)!;
            Assert.That(few.Assign(cpu, c, to, CancellationToken.None), Is.EqualTo(count));
            Assert.That(labels, Is.EqualTo(want));
            to[count / 2] = -1;
            Assert.That(few.Assign(cpu, c, to, CancellationToken.None), Is.EqualTo(1));
            double measured = OwnDistances.Measure(cpu, data, metric, c, to, d);
            if (metric == ClusterMetric.Euclidean)
            {
                Assert.That(measured, Is.EqualTo(objective).Within(1e-6 * objective));
            }
        }
    }

    [Test]
    public void Near_ties_and_duplicates_are_exact([Values] ClusterMetric metric)
    {
        const int Dimension = 24, Count = 300, Clusters = 22;
        float[] rows = Samples.Normal(1, Count * Dimension, 0.01f), centroids = Samples.Normal(2, Clusters * Dimension, 0.01f);
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] += 100;
        }

        for (int i = 0; i < centroids.Length; i++)
        {
            centroids[i] += 100;
        }

        centroids.AsSpan(0, Dimension).CopyTo(centroids.AsSpan(9 * Dimension));
        int[] labels = new int[Count], want = new int[Count];
        KMeansReference.Assign(rows, Dimension, centroids, metric, null, want);
        using var cpu = new CpuDevice(2);
        fixed (float* x = rows, c = centroids)
        fixed (int* to = labels)
        {
            using var few = FewClusters.Create(cpu, new KMeansData { Rows = x, Count = Count, Dimension = Dimension }, metric, Clusters)!;
            few.Assign(cpu, c, to, CancellationToken.None);
        }

        Assert.That(labels, Is.EqualTo(want));
    }

    [TestCase(1000, 64, 32)]
    [TestCase(1000, 400, 20)]
    [TestCase(100_000, 192, 20)]
    public void Other_shapes_use_the_general_search(int count, int dimension, int clusters)
    {
        using var cpu = new CpuDevice(1);
        Assert.That(FewClusters.Create(cpu, new KMeansData { Count = count, Dimension = dimension }, ClusterMetric.Euclidean, clusters), Is.Null);
    }
}
