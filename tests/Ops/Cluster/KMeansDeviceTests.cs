using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Cluster;

/// <summary>The k-means steps on every device in every precision: labels of exact arithmetic, sums that depend on nothing but the input.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class KMeansDeviceTests(TestDevice on)
{
    // Sizes around the tiles (64, 128), more centroids than a tile, one dimension, long rows.
    [Test]
    [Category("Sanitized")]
    public void Labels_are_those_of_f64(
        [Values] ClusterMetric metric, [Values(1, 63, 150)] int rows, [Values(1, 5, 130)] int clusters, [Values(1, 37, 96)] int dimension)
    {
        float[] x = Samples.Normal(1, rows * dimension), c = Samples.Normal(2, clusters * dimension);

        // Centroids that differ in the last bits, equal ones, and a row that is a centroid.
        for (int d = 0; d < dimension && clusters > 4; d++)
        {
            c[dimension + d] = c[(3 * dimension) + d];
            c[(2 * dimension) + d] = MathF.BitIncrement(c[(3 * dimension) + d]);
            x[d] = c[d];
        }

        (int Label, double Value)[] want = [.. Enumerable.Range(0, rows).Select(row => Exact(x.AsSpan(row * dimension, dimension), c, dimension, metric))];
        double objective = want.Sum(row => metric == ClusterMetric.Cosine ? -row.Value : row.Value);

        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            using var device = on.Open(2, precision, onWarpgroups);
            var (labels, distances, assignment) = Assign(device, x, c, null, metric, dimension);
            for (int row = 0; row < rows; row++)
            {
                var (best, value) = want[row];
                Assert.That(labels[row], Is.EqualTo(best), $"{precision}, row {row}");

                // A quarter of the tolerance is four roundings of f32 in one dimension: the difference, its square, their scale and the sum.
                Assert.That(distances[row], Is.EqualTo(value).Within(0.25 * Tolerance.Reduction(dimension) * (Math.Abs(value) + dimension)), $"{precision}, row {row}");
            }

            Assert.That(assignment.Objective, Is.EqualTo(objective).Within((1e-6 * (Math.Abs(objective) + 1)) + (0.1 * Tolerance.Reduction(dimension) * dimension)), $"{precision}");
            Assert.That(assignment.Changed, Is.EqualTo(labels.Count(l => l != 0)), $"{precision}: labels were zeros before");
        }
    }

    [Test]
    public void Scales_weigh_the_objective()
    {
        float[] x = [1, 2, 4, 8], c = [0, 4];
        using var device = on.Open();
        var (_, _, assignment) = Assign(device, x, c, [1, 0.5f, 3, 2], ClusterMetric.Euclidean, 1);
        Assert.That(assignment.Objective, Is.EqualTo(1 + (0.5 * 4) + 0 + (2 * 16)).Within(1e-12));
    }

    [Test]
    public void Centroids_are_means_of_their_rows(
        [Values] ClusterMetric metric, [Values(1, 700, 5000)] int rows, [Values(1, 3, 300)] int clusters, [Values(1, 150)] int dimension, [Values] bool weighted)
    {
        float[] x = Samples.Normal(1, rows * dimension), before = Samples.Normal(2, clusters * dimension);
        float[]? scales = weighted ? [.. Samples.Normal(3, rows).Select(v => v < -1.5f ? 0 : Math.Abs(v))] : null;

        // One cluster is empty where there are several.
        int[] labels = [.. Enumerable.Range(0, rows).Select(i => (int)((uint)(i * 7919) % (uint)Math.Max(1, clusters - 1)))];
        using var device = on.Open();
        var centroids = Samples.Constant(device, new Shape(clusters, dimension), before);
        var counts = device.Workspace.Rent(new Shape(clusters), ElementType.Int32);
        KMeansUpdate.Forward(
            device,
            Samples.Constant(device, new Shape(rows, dimension), x),
            scales is null ? null : Samples.Constant(device, new Shape(rows), scales),
            Ints(device, labels),
            metric,
            centroids,
            counts);
        float[] got = Samples.Read(centroids);
        int[] gotCounts = new int[clusters];
        counts.CopyIntsTo(gotCounts);
        var members = Enumerable.Range(0, rows).ToLookup(i => labels[i]);
        for (int k = 0; k < clusters; k++)
        {
            int[] own = [.. members[k]];
            Assert.That(gotCounts[k], Is.EqualTo(own.Length));
            double[] sum = [.. Enumerable.Range(0, dimension).Select(d => own.Sum(i => (double)x[(i * dimension) + d] * (scales?[i] ?? 1)))];
            double divisor = metric == ClusterMetric.Cosine ? Math.Sqrt(sum.Sum(v => v * v)) : own.Sum(i => (double)(scales?[i] ?? 1));
            double[] want = [.. sum.Select((v, d) => divisor > 0 ? v / divisor : before[(k * dimension) + d])];
            Close.Assert(got.AsSpan(k * dimension, dimension), want, 1e-6, $"centroid {k}");
        }
    }

    private static (int[] Labels, float[] Distances, KMeansAssignment Assignment) Assign(
        Device device, float[] x, float[] c, float[]? scales, ClusterMetric metric, int dimension)
    {
        int rows = x.Length / dimension;
        var labels = Ints(device, new int[rows]);
        var distances = device.Workspace.Rent(new Shape(rows));
        var assignment = KMeansAssign.Forward(
            device,
            Samples.Constant(device, new Shape(rows, dimension), x),
            scales is null ? null : Samples.Constant(device, new Shape(rows), scales),
            Samples.Constant(device, new Shape(c.Length / dimension, dimension), c),
            metric,
            labels,
            distances);
        int[] got = new int[rows];
        labels.CopyIntsTo(got);
        return (got, Samples.Read(distances), assignment);
    }

    private static (int Label, double Value) Exact(ReadOnlySpan<float> x, float[] centroids, int dimension, ClusterMetric metric)
    {
        (int Label, double Value) best = (-1, 0);
        for (int k = 0; k * dimension < centroids.Length; k++)
        {
            double value = 0;
            for (int d = 0; d < dimension; d++)
            {
                double c = centroids[(k * dimension) + d];
                value += metric == ClusterMetric.Cosine ? x[d] * c : (x[d] - c) * (x[d] - c);
            }

            if (best.Label < 0 || (metric == ClusterMetric.Cosine ? value > best.Value : value < best.Value))
            {
                best = (k, value);
            }
        }

        return best;
    }

    private static Tensor Ints(Device device, int[] values)
    {
        var tensor = device.Workspace.Rent(new Shape(values.Length), ElementType.Int32);
        tensor.CopyIntsFrom(values);
        return tensor;
    }
}
