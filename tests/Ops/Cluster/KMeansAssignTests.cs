using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Clustering;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Cluster;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public unsafe class KMeansAssignTests(TestDevice on)
{
    [Test]
    public void Labels_and_distances_follow_the_reference(
        [Values] ClusterMetric metric, [Values(1, 31, 145)] int count, [Values(1, 17, 33, 401)] int dimension, [Values(1, 15, 16, 33, 290)] int clusters)
    {
        using var device = on.Open();
        float[] rows = Samples.Normal(1, count * dimension), centroids = Samples.Normal(2, clusters * dimension);
        var (labels, distances, assigned) = Assign(device, rows, null, centroids, dimension, metric);
        int[] want = new int[count];
        KMeansReference.Assign(rows, dimension, centroids, metric, null, want);
        Assert.That(labels, Is.EqualTo(want));
        double[] exact = [.. Enumerable.Range(0, count).Select(i => Exact(rows, i, centroids, want[i], dimension, metric))];
        Close.Assert(distances, exact, Tolerance.Reduction(dimension) * exact.Max(v => Math.Abs(v) + 1), "distances");
        double sum = metric == ClusterMetric.Euclidean ? exact.Sum() : -exact.Sum();
        Assert.That(assigned.Objective, Is.EqualTo(sum).Within(1e-6 * exact.Sum(Math.Abs)));
        Assert.That(assigned.Changed, Is.EqualTo(count));
    }

    [Test]
    public void Equal_centroids_go_to_the_lowest([Values] ClusterMetric metric, [Values(2, 40)] int copies)
    {
        using var device = on.Open();
        float[] one = Samples.Normal(3, 5 * 20), rows = Samples.Normal(4, 50 * 20);
        float[] centroids = [.. Enumerable.Repeat(one, copies).SelectMany(c => c)];
        Assert.That(Assign(device, rows, null, centroids, 20, metric).Labels, Is.EqualTo(Assign(device, rows, null, one, 20, metric).Labels));
    }

    [Test]
    public void Scales_weigh_the_objective_and_changes_are_counted()
    {
        using var device = on.Open();
        float[] rows = [0, 2, 5, 9], scales = [1, 2, 0, 0.5f];
        var tensor = Samples.Constant(device, new Shape(4, 1), rows);
        var labels = device.Workspace.Rent(new Shape(4), ElementType.Int32);
        labels.CopyIntsFrom([0, 1, 1, 1]);
        var assigned = KMeansAssign.Forward(
            device, tensor, Samples.Constant(device, new Shape(4), scales), Samples.Constant(device, new Shape(2, 1), [1, 6]), ClusterMetric.Euclidean, labels, device.Workspace.Rent(new Shape(4)));
        Assert.That(assigned.Objective, Is.EqualTo(1 + 2 + 0 + 4.5));
        Assert.That(assigned.Changed, Is.EqualTo(1));
    }

    [Test]
    public void Thread_count_does_not_change_bits()
    {
        float[] rows = Samples.Normal(1, 3000 * 50), centroids = Samples.Normal(2, 77 * 50);
        using var one = on.Open(1);
        using var three = on.Open(3);
        var first = Assign(one, rows, null, centroids, 50, ClusterMetric.Euclidean);
        var second = Assign(three, rows, null, centroids, 50, ClusterMetric.Euclidean);
        Assert.That(second.Labels, Is.EqualTo(first.Labels));
        Assert.That(second.Distances, Is.EqualTo(first.Distances));
        Assert.That(second.Assigned, Is.EqualTo(first.Assigned));
    }

    [Test]
    public void Micro_kernels_agree_and_the_runner_up_bounds_all_others([Values] ClusterMetric metric)
    {
        const int Count = 200, Dimension = 70, Clusters = 45;
        using var cpu = new CpuDevice(2);
        float[] rows = Samples.Normal(1, Count * Dimension), centroids = Samples.Normal(2, Clusters * Dimension), wideUp = new float[Count], narrowUp = new float[Count];
        int[] wide = new int[Count], narrow = new int[Count], list = [.. Enumerable.Range(0, Count).Where(i => i % 3 != 1)];
        float[] distances = new float[Count];
        Array.Fill(wide, -1);
        Array.Fill(narrow, -1);
        fixed (float* x = rows, c = centroids, d = distances, up = wideUp, other = narrowUp)
        fixed (int* first = wide, second = narrow, chosen = list)
        {
            var request = new NearestCentroidRequest
            {
                Rows = x,
                RowStride = Dimension,
                RowList = chosen,
                Count = list.Length,
                Dimension = Dimension,
                Centroids = c,
                CentroidStride = Dimension,
                Clusters = Clusters,
                Metric = metric,
                Labels = first,
                Distances = d,
                RunnerUp = up,
            };
            NearestCentroid.Run<GemmKernel512>(cpu, request, default);
            request.Labels = second;
            request.RunnerUp = other;
            NearestCentroid.Run<GemmKernel256>(cpu, request, default);
        }

        int[] want = new int[Count];
        KMeansReference.Assign(rows, Dimension, centroids, metric, null, want);
        Assert.That(narrow, Is.EqualTo(wide));
        for (int i = 0; i < Count; i++)
        {
            Assert.That(wide[i], Is.EqualTo(i % 3 == 1 ? -1 : want[i]), "rows outside the list stay as they are");
            for (int k = 0; k < Clusters && i % 3 != 1; k++)
            {
                double norm = metric == ClusterMetric.Cosine ? 0 : Exact(centroids, k, centroids, k, Dimension, ClusterMetric.Cosine);
                double score = Exact(rows, i, centroids, k, Dimension, ClusterMetric.Cosine) - (norm / 2);
                Assert.That(k == want[i] || (score <= wideUp[i] && score <= narrowUp[i]), $"row {i}, centroid {k}");
            }
        }
    }

    [Test]
    public void Wrong_shapes_are_refused()
    {
        using var device = on.Open();
        var rows = device.Workspace.Rent(new Shape(4, 3));
        var labels = device.Workspace.Rent(new Shape(4), ElementType.Int32);
        var distances = device.Workspace.Rent(new Shape(4));
        Assert.Multiple(() =>
        {
            Assert.That(() => KMeansAssign.Forward(device, rows, null, device.Workspace.Rent(new Shape(2, 4)), ClusterMetric.Cosine, labels, distances), Throws.TypeOf<ShapeException>());
            Assert.That(() => KMeansAssign.Forward(device, rows, null, device.Workspace.Rent(new Shape(0, 3)), ClusterMetric.Cosine, labels, distances), Throws.TypeOf<ShapeException>());
            Assert.That(() => KMeansAssign.Forward(device, rows, null, device.Workspace.Rent(new Shape(2, 3)), ClusterMetric.Cosine, distances, distances), Throws.TypeOf<ShapeException>());
        });
    }

    private static (int[] Labels, float[] Distances, KMeansAssignment Assigned) Assign(
        Device device, float[] rows, float[]? scales, float[] centroids, int dimension, ClusterMetric metric)
    {
        int count = rows.Length / dimension;
        var labels = device.Workspace.Rent(new Shape(count), ElementType.Int32);
        int[] host = new int[count];
        Array.Fill(host, -1);
        labels.CopyIntsFrom(host);
        var distances = device.Workspace.Rent(new Shape(count));
        var assigned = KMeansAssign.Forward(
            device,
            Samples.Constant(device, new Shape(count, dimension), rows),
            scales is null ? null : Samples.Constant(device, new Shape(count), scales),
            Samples.Constant(device, new Shape(centroids.Length / dimension, dimension), centroids),
            metric,
            labels,
            distances);
        labels.CopyIntsTo(host);
        return (host, Samples.Read(distances), assigned);
    }

    private static double Exact(float[] rows, int row, float[] centroids, int k, int d, ClusterMetric metric) => Enumerable.Range(0, d).Sum(j =>
    {
        double x = rows[(row * d) + j], c = centroids[(k * d) + j];
        return metric == ClusterMetric.Euclidean ? (x - c) * (x - c) : x * c;
    });
}
