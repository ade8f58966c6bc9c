using NUnit.Framework;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Cluster;

/// <summary>The search of k-means on Hopper's warpgroups with rows by the copy engine: exact labels, every width of its ring, and when it is chosen.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class KMeansWarpgroupTests(TestDevice on)
{
    private const string Search = "k_means_assign_wgmma";

    // Centroids of a tile, and a score that none has.
    private const int Tile = 128;
    private const float Nothing = -3.0e38f;

    private static readonly KernelId SearchKernel = new("cluster/k_means_assign", Search, StreamedRows.SharedBytes(4, 8, Tile));

    // Ragged rows and centroids; widths of 1, 2, 3 and 8 pieces of 64 and, beyond those that stay in shared memory, 9. With 2100 centroids a
    // block has two tiles, so that the stages of its ring are used several times.
    [TestCase(ClusterMetric.Euclidean, 130, 200, 64)]
    [TestCase(ClusterMetric.Cosine, 131, 129, 97)]
    [TestCase(ClusterMetric.Cosine, 20, 140, 192)]
    [TestCase(ClusterMetric.Euclidean, 3, 2100, 512)]
    [TestCase(ClusterMetric.Euclidean, 129, 300, 513)]
    [TestCase(ClusterMetric.Cosine, 2, 2100, 520)]
    [Category("Sanitized")]
    public void Labels_are_those_of_f64(ClusterMetric metric, int rows, int clusters, int dimension)
    {
        float[] x = Samples.Normal(1, rows * dimension), c = Samples.Normal(2, clusters * dimension);

        // What bf16 cannot tell apart: centroids that are equal, in tiles of their own, or differ in the last bit, and rows at them.
        foreach (var (copy, of) in new[] { (clusters - 1, 1), (clusters / 2, 0), (3, 2) })
        {
            c.AsSpan(of * dimension, dimension).CopyTo(c.AsSpan(copy * dimension));
        }

        c[(3 * dimension) + 1] = MathF.BitIncrement(c[(3 * dimension) + 1]);
        c.AsSpan(0, Math.Min(rows, 4) * dimension).CopyTo(x);
        using var device = on.OpenHopper(SearchKernel);
        int[] labels = Assign(device, x, c, metric, dimension);
        Assert.That(labels, Is.EqualTo(Exact(x, c, metric, dimension)));
        Assert.That(Assign(device, x, c, metric, dimension), Is.EqualTo(labels), "the same again");
    }

    // The search alone, since the comparison in f64 afterwards would hide its mistakes; with stages, pieces that stay and tiles of a block at will, for two
    // problems of three, of which the one left out lies between them.
    [TestCase(130, 300, 64, 1, 2, 3)]
    [TestCase(20, 129, 97, 2, 8, 1)]
    [TestCase(40, 520, 192, 3, 3, 5)]
    [TestCase(40, 400, 250, 4, 2, 2)]
    [TestCase(20, 260, 200, 2, 4, 3)]
    [TestCase(20, 260, 70, 1, 5, 2)]
    [Category("Sanitized")]
    public unsafe void Scores_are_those_of_rounded_rows(int rows, int clusters, int dimension, int resident, int stages, int tilesEach)
    {
        int[] counts = [(rows / 2) + 1, 3, rows], active = [0, 2];
        float[] x = Samples.Normal(1, counts.Sum() * dimension), c = Samples.Normal(2, counts.Length * clusters * dimension);
        float[] offsets = Samples.Normal(3, counts.Length * clusters);
        using var device = on.OpenHopper(SearchKernel);
        var workspace = device.Workspace;
        var problems = new CudaProblems(device, counts);
        problems.Activate(active);
        var (rowView, centroidView) = (View(x, counts.Sum()), View(c, counts.Length * clusters));
        WarpgroupGemm.Round(device, ref rowView, ref centroidView);
        int tiles = (clusters + Tile - 1) / Tile, splits = (tiles + tilesEach - 1) / tilesEach;
        var results = workspace.Rent(new Shape(splits, active.Length, rows, 3));
        float[] padded = [.. offsets.Chunk(clusters).SelectMany(own => own.Concat(Enumerable.Repeat(-Nothing, (tiles * Tile) - clusters)))];
        TensorMap rowMap = StreamedRows.Map(device, (nint)rowView.Data, counts.Sum(), dimension, StreamedRows.OwnTile);
        var centroidMap = StreamedRows.Map(device, (nint)centroidView.Data, clusters, dimension, Tile, counts.Length);
        var view = problems.View;
        device.Launch(
            SearchKernel,
            problems.Shape((rows + Tile - 1) / Tile, StreamedRows.Threads, splits, StreamedRows.SharedBytes(resident, stages, Tile)),
            KernelArgument.Structure(&view), KernelArgument.Structure(&rowMap), KernelArgument.Structure(&centroidMap),
            Samples.Constant(device, new Shape(padded.Length), padded).Address, tiles, tilesEach, StreamedRows.Pieces(dimension), resident, stages,
            results.Address);

        float[] got = Samples.Read(results);
        double[] a = Rounding.Of(Precision.Bf16, x), b = Rounding.Of(Precision.Bf16, c);
        for (int place = 0; place < splits * active.Length * rows; place++)
        {
            int split = place / rows / active.Length, problem = active[place / rows % active.Length], row = place % rows;
            if (row >= counts[problem])
            {
                continue;
            }

            int firstRow = counts.Take(problem).Sum(), first = split * tilesEach * Tile, count = Math.Min(clusters - first, tilesEach * Tile);
            var scores = Enumerable.Range(first, count)
                .Select(k => (Score: Dot(a, firstRow + row, b, (problem * clusters) + k) - offsets[(problem * clusters) + k], Index: k))
                .OrderByDescending(one => one.Score).ToArray();
            var own = got.AsSpan(place * 3, 3);
            double tolerance = Tolerance.Reduction(dimension) * dimension;
            string what = $"row {row} of problem {problem}, part {split}";
            Assert.That(own[0], Is.EqualTo(scores[0].Score).Within(tolerance), $"the best of {what}");
            Assert.That(own[1], Is.EqualTo(count > 1 ? scores[1].Score : Nothing).Within(tolerance), $"the second of {what}");
            Assert.That(BitConverter.SingleToInt32Bits(own[2]), Is.EqualTo(scores[0].Index), what);
        }

        MatrixView View(float[] values, int count) =>
            MatrixView.Of(Samples.Constant(device, new Shape(count, dimension), values).Data, count, dimension, dimension);

        double Dot(double[] one, int i, double[] other, int k)
        {
            double sum = 0;
            for (int d = 0; d < dimension; d++)
            {
                sum += one[(i * dimension) + d] * other[(k * dimension) + d];
            }

            return sum;
        }
    }

    [Test]
    public void Problems_of_a_batch_are_those_alone()
    {
        var options = new KMeansOptions { Clusters = 3, MaximumIterations = 3, Seed = 7 };
        KMeansProblem[] problems = [.. from size in new[] { (Rows: 40, Dimension: 65), (Rows: 131, Dimension: 12), (Rows: 129, Dimension: 12), (Rows: 7, Dimension: 130) }
                                       select new KMeansProblem(Samples.Normal(size.Rows, size.Rows * size.Dimension), size.Dimension, 3)];
        using var device = on.OpenHopper(SearchKernel);
        var launched = new List<string>();
        device.Launching = kernel => launched.Add(kernel.Name);
        var results = KMeans.FitBatch(problems, options, device);
        Assert.That(launched, Has.Member(Search));
        using var cpu = new CpuDevice(1);
        var want = KMeans.FitBatch(problems, options, cpu);
        for (int p = 0; p < problems.Length; p++)
        {
            var alone = KMeans.Fit(problems[p].Rows.Span, problems[p].Dimension, options, device: device);
            Assert.That(results[p].Labels, Is.EqualTo(alone.Labels));
            Assert.That(results[p].Centroids, Is.EqualTo(alone.Centroids));
            Assert.That(results[p].Labels, Is.EqualTo(want[p].Labels), "as on the CPU");
        }
    }

    [Test]
    public void It_is_chosen_on_Hopper_for_bf16_and_enough_work()
    {
        using var device = on.OpenHopper(SearchKernel);
        Assert.That(Searches(device), Is.EqualTo(Search));
        device.AlwaysOnWarpgroups = false;
        Assert.That(Searches(device), Does.Not.Contain("wgmma"), "little work");
        device.AlwaysOnWarpgroups = true;
        device.Precision = Precision.Tf32;
        Assert.That(Searches(device), Does.StartWith("k_means_assign_tf32"), "another precision");
        device.Precision = Precision.Bf16;
        device.UsesBulkCopies = false;
        Assert.That(Searches(device), Does.StartWith("k_means_assign_bf16"), "when told so");
        (device.UsesBulkCopies, device.UsesWarpgroups) = (true, false);
        Assert.That(Searches(device), Does.StartWith("k_means_assign_bf16"), "when told so");
    }

    [Test]
    public void Devices_before_Hopper_have_none()
    {
        using var hopper = on.OpenHopper(SearchKernel);
        Assume.That(EmulatorSettings.IsEmulator(hopper.Driver), "skipped, optional: only the emulator poses as an older device");
        EmulatorSettings.Set(hopper.Driver, "capability", 89);
        try
        {
            using var older = new CudaDevice(hopper.Driver) { Precision = Precision.Bf16, AlwaysOnWarpgroups = true };
            Assert.That(Searches(older), Does.StartWith("k_means_assign_bf16"));
        }
        finally
        {
            EmulatorSettings.Set(hopper.Driver, "capability", 90);
        }
    }

    // The kernel that searches.
    private static string Searches(CudaDevice device)
    {
        var launched = new List<string>();
        device.Launching = kernel => launched.Add(kernel.Name);
        Assign(device, Samples.Normal(1, 3 * 4), Samples.Normal(2, 2 * 4), ClusterMetric.Euclidean, 4);
        device.Launching = null;
        string[] steps = ["norms", "finish", "total"];
        return launched.Single(name => name.StartsWith("k_means_assign", StringComparison.Ordinal) && !steps.Any(step => name.EndsWith(step, StringComparison.Ordinal)));
    }

    private static int[] Assign(CudaDevice device, float[] x, float[] c, ClusterMetric metric, int dimension)
    {
        device.Workspace.Reset();
        int rows = x.Length / dimension;
        var labels = device.Workspace.Rent(new Shape(rows), ElementType.Int32);
        labels.CopyIntsFrom(new int[rows]);
        KMeansAssign.Forward(
            device, Samples.Constant(device, new Shape(rows, dimension), x), null, Samples.Constant(device, new Shape(c.Length / dimension, dimension), c), metric,
            labels, device.Workspace.Rent(new Shape(rows)));
        int[] got = new int[rows];
        labels.CopyIntsTo(got);
        return got;
    }

    // The lowest index among the nearest.
    private static int[] Exact(float[] x, float[] c, ClusterMetric metric, int dimension)
    {
        var labels = new int[x.Length / dimension];
        for (int row = 0; row < labels.Length; row++)
        {
            double best = double.NegativeInfinity;
            for (int k = 0; k * dimension < c.Length; k++)
            {
                double score = 0;
                for (int d = 0; d < dimension; d++)
                {
                    double a = x[(row * dimension) + d], b = c[(k * dimension) + d];
                    score += metric == ClusterMetric.Cosine ? a * b : -(a - b) * (a - b);
                }

                (best, labels[row]) = score > best ? (score, k) : (best, labels[row]);
            }
        }

        return labels;
    }
}
