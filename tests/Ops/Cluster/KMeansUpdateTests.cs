using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Cluster;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class KMeansUpdateTests(TestDevice on)
{
    [Test]
    public void Centroids_are_means_and_empty_ones_stay(
        [Values] ClusterMetric metric, [Values] bool scaled, [Values(1, 33, 3000)] int count, [Values(1, 16, 37)] int dimension, [Values(1, 5)] int clusters)
    {
        using var device = on.Open();
        float[] rows = Samples.Normal(1, count * dimension), before = Samples.Normal(2, (clusters + 1) * dimension);
        float[] scales = [.. Enumerable.Range(0, count).Select(i => 0.25f * (i % 5))];

        // The first cluster has most rows, more than a piece; the last has none.
        int[] labels = [.. Enumerable.Range(0, count).Select(i => i % 3 == 0 ? i % clusters : 0)];
        var (centroids, counts) = Update(device, rows, scaled ? scales : null, labels, metric, before, dimension);
        double[] want = [.. before.Select(v => (double)v)];
        for (int k = 0; k < clusters; k++)
        {
            int[] members = [.. Enumerable.Range(0, count).Where(i => labels[i] == k)];
            Assert.That(counts[k], Is.EqualTo(members.Length));
            double[] sum = [.. Enumerable.Range(0, dimension).Select(j => members.Sum(i => (scaled ? scales[i] : 1.0) * rows[(i * dimension) + j]))];
            double divisor = metric == ClusterMetric.Cosine ? Math.Sqrt(sum.Sum(v => v * v)) : members.Sum(i => scaled ? scales[i] : 1.0);
            for (int j = 0; j < dimension && divisor > 0; j++)
            {
                want[(k * dimension) + j] = sum[j] / divisor;
            }
        }

        // Sums are in f64: what is left is the rounding of the result.
        Close.Assert(centroids, want, Tolerance.ElementWise * want.Max(Math.Abs), "centroids");
        Assert.That(counts[^1], Is.Zero);
    }

    [Test]
    public void A_large_cluster_far_from_the_origin_loses_nothing()
    {
        using var device = on.Open();
        const int Count = 400_000;
        float[] rows = [.. Enumerable.Range(0, Count).Select(i => 10_000f + (i % 2 * 0.5f))];
        var (centroids, _) = Update(device, rows, null, new int[Count], ClusterMetric.Euclidean, [0], 1);
        Assert.That(centroids[0], Is.EqualTo(10_000.25f));
    }

    [Test]
    public void Thread_count_does_not_change_bits([Values] ClusterMetric metric)
    {
        float[] rows = Samples.Normal(1, 20_000 * 9), scales = [.. Samples.Normal(5, 20_000).Select(Math.Abs)];
        int[] labels = [.. Enumerable.Range(0, 20_000).Select(i => i * 13 % 17 % 4)];
        using var one = on.Open(1);
        using var three = on.Open(3);
        Assert.That(
            Update(three, rows, scales, labels, metric, new float[36], 9).Centroids,
            Is.EqualTo(Update(one, rows, scales, labels, metric, new float[36], 9).Centroids));
    }

    private static (float[] Centroids, int[] Counts) Update(
        Device device, float[] rows, float[]? scales, int[] labels, ClusterMetric metric, float[] before, int dimension)
    {
        int clusters = before.Length / dimension;
        var labelTensor = device.Workspace.Rent(new Shape(labels.Length), ElementType.Int32);
        labelTensor.CopyIntsFrom(labels);
        var centroids = Samples.Constant(device, new Shape(clusters, dimension), before);
        var counts = device.Workspace.Rent(new Shape(clusters), ElementType.Int32);
        KMeansUpdate.Forward(
            device,
            Samples.Constant(device, new Shape(labels.Length, dimension), rows),
            scales is null ? null : Samples.Constant(device, new Shape(labels.Length), scales),
            labelTensor,
            metric,
            centroids,
            counts);
        int[] host = new int[clusters];
        counts.CopyIntsTo(host);
        return (Samples.Read(centroids), host);
    }
}
