using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

/// <summary>The general search with lengths measured once, and the objective that follows from the sums of the update.</summary>
public unsafe class ManyClustersTests
{
    [Test]
    public void Labels_and_changes_follow_the_reference([Values] ClusterMetric metric, [Values(1, 145, 700)] int count, [Values(16, 50, 400)] int dimension, [Values(1, 33, 300)] int clusters)
    {
        float[] rows = Samples.Normal(1, count * dimension), centroids = Samples.Normal(2, clusters * dimension);
        int[] labels = new int[count], want = new int[count];
        Array.Fill(labels, -1);
        KMeansReference.Assign(rows, dimension, centroids, metric, null, want);
        using var cpu = new CpuDevice(2);
        fixed (float* x = rows, c = centroids)
        fixed (int* to = labels)
        {
            using var search = new ManyClusters(cpu, new KMeansData { Rows = x, Count = count, Dimension = dimension }, metric, clusters);
            Assert.That(search.Assign(cpu, c, to, CancellationToken.None), Is.EqualTo(count));
            Assert.That(labels, Is.EqualTo(want));
            to[count / 2] = -1;
            Assert.That(search.Assign(cpu, c, to, CancellationToken.None), Is.EqualTo(1));
            double squares = rows.Sum(v => (double)v * v);
            Assert.That(search.TotalSquares, Is.EqualTo(metric == ClusterMetric.Euclidean ? squares : 0).Within(1e-12 * squares));
        }
    }

    [Test]
    public void Objectives_are_those_of_the_reference_also_where_squares_cancel([Values] ClusterMetric metric, [Values(0f, 3000f)] float offset)
    {
        const int Count = 600, Dimension = 24, Clusters = 120;
        float[] rows = [.. Samples.Normal(3, Count * Dimension).Select(v => v + offset)];
        var fitted = KMeans.Fit(rows, Dimension, new KMeansOptions { Clusters = Clusters, Metric = metric, MaximumIterations = 4, Tolerance = 0 }, rows.AsSpan(0, Clusters * Dimension));
        var centroids = rows[..(Clusters * Dimension)];
        for (int k = 0; k < Clusters && metric == ClusterMetric.Cosine; k++)
        {
            var row = centroids.AsSpan(k * Dimension, Dimension);
            float length = MathF.Sqrt(System.Numerics.Tensors.TensorPrimitives.SumOfSquares<float>(row));
            System.Numerics.Tensors.TensorPrimitives.Divide(row, length, row);
        }

        double[]? scales = metric == ClusterMetric.Euclidean ? null : [.. Enumerable.Range(0, Count).Select(i => 1 / Math.Sqrt(Enumerable.Range(0, Dimension).Sum(d => (double)rows[(i * Dimension) + d] * rows[(i * Dimension) + d])))];
        double first = 0;
        for (int i = 0; i < Count; i++)
        {
            double best = double.PositiveInfinity;
            for (int k = 0; k < Clusters; k++)
            {
                double loss = 0;
                for (int d = 0; d < Dimension; d++)
                {
                    double x = rows[(i * Dimension) + d], c = centroids[(k * Dimension) + d];
                    loss += metric == ClusterMetric.Euclidean ? (x - c) * (x - c) : -x * c * scales![i];
                }

                best = Math.Min(best, loss);
            }

            first += best;
        }

        Assert.That(fitted.InertiaPerIteration[0], Is.EqualTo(first).Within(2e-6 * Math.Abs(first)));
        Assert.That(fitted.InertiaPerIteration, Is.Ordered.Descending);
        Assert.That(fitted.Inertia, Is.LessThanOrEqualTo(fitted.InertiaPerIteration[^1] + (1e-7 * Math.Abs(first))), "the last one from single rows, whose cosines are of f32");
    }
}
