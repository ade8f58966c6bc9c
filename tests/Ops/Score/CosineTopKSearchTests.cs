using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Score;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Score;

/// <summary>The search for short lists where tiles of cosines lie: order, ties and NaN exactly, in every precision, and when which kernel is chosen.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class CosineTopKSearchTests(TestDevice on)
{
    private static readonly KernelId WarpgroupKernel = new("score/cosine_top_k", "cosine_top_k_wgmma");

    // Rows of 4^n elements of equal size, so that unit rows are numbers of every precision, sums of their products are exact in any order and many are
    // equal. Tiles are 64 rows by 64 keys, or 128 by 128; widths that 16-byte copies do not serve; lists as long as the keys.
    [TestCase(1, 5, 16, 1)]
    [TestCase(2, 20, 4, 20)]
    [TestCase(70, 300, 16, 31)]
    [TestCase(67, 129, 5, 32)]
    [TestCase(130, 260, 36, 32)]
    [TestCase(128, 130, 20, 7)]
    [TestCase(3, 70, 4, 33)] // One more than a search has room for.
    [Category("Sanitized")]
    public void Lists_are_those_of_a_full_sort(int rows, int keys, int width, int neighbours)
    {
        float[] q = Samples.Signs(1, rows, width), k = Samples.Signs(2, keys, width);
        Array.Clear(k, 3 * width, width); // A row of zeros, and NaNs, which come last.
        k[2 * width] = float.NaN;
        if (rows > 2)
        {
            Array.Clear(q, 0, width);
            q[width] = float.NaN;
        }

        var (cosines, indices) = Sorted(q, k, width, neighbours);
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            using var device = (CudaDevice)on.Open(precision: precision, onWarpgroups: onWarpgroups);
            var got = Forward(device, q, k, width, neighbours);
            Assert.That(got.Indices, Is.EqualTo(indices), $"{precision}, {onWarpgroups}");
            Assert.That(got.Cosines, Is.EqualTo(cosines), $"{precision}, {onWarpgroups}");
        }
    }

    // The parts of the keys are as many as there are blocks to fill, and their number changes no bit; of one tile a part, the last has fewer keys than a
    // list has room for. On warpgroups: pieces of the width that stay and those that come again.
    [TestCase(3, 600, 16, 32)]
    [TestCase(20, 390, 70, 9)]
    [TestCase(128, 260, 4, 9)]
    [TestCase(2, 260, 650, 10)]
    [Category("Sanitized")]
    public void Keys_may_be_shared_among_blocks(int rows, int keys, int width, int neighbours)
    {
        float[] q = Samples.Signs(3, rows, width), k = Samples.Signs(4, keys, width);
        var want = Sorted(q, k, width, neighbours);
        foreach (var (precision, onWarpgroups) in on.Arithmetics.Where(one => width < 500 || one.OnWarpgroups))
        {
            using var device = (CudaDevice)on.Open(precision: precision, onWarpgroups: onWarpgroups);
            foreach (int blocks in rows > 64 ? new[] { 1, 8 } : [1, 4, 1000])
            {
                device.Workspace.Reset();

                // Rows of wider matrices.
                var (queries, others) = (Inside(device, q, width), Inside(device, k, width));
                var cosines = device.Workspace.Rent(new Shape(rows, neighbours));
                var indices = device.Workspace.Rent(new Shape(rows, neighbours), ElementType.Int32);
                var launched = new List<string>();
                device.Launching = kernel => launched.Add(kernel.Name);
                CosineTopK.CudaSearch(device, queries, others, cosines, indices, blocks);
                device.Launching = null;
                string what = $"{precision}, {onWarpgroups}, {blocks} blocks";
                Assert.That(launched.Contains("cosine_top_k_combine"), Is.EqualTo(blocks > 1), what);
                Assert.That(Integers(indices), Is.EqualTo(want.Indices), what);
                Assert.That(Samples.Read(cosines), Is.EqualTo(want.Cosines), what);
            }
        }
    }

    // Every cosine, from the lowest key to the highest, beats the list: as the last few do, and as all of a tile do.
    [TestCase(1, 32)]
    [TestCase(128, 5)]
    [Category("Sanitized")]
    public void Each_key_may_be_better_than_those_before(int rows, int neighbours)
    {
        const int keys = 300, width = 2;
        float[] q = [.. Enumerable.Range(0, rows).SelectMany(_ => new[] { 1f, 0f })];
        float[] k = [.. Enumerable.Range(0, keys).SelectMany(i => new[] { MathF.Sin(1.5f * i / keys), MathF.Cos(1.5f * i / keys) })];
        using var device = (CudaDevice)on.Open();
        int[] got = Forward(device, q, k, width, neighbours).Indices;
        Assert.That(got, Is.EqualTo(Enumerable.Range(0, rows).SelectMany(_ => Enumerable.Range(0, neighbours).Select(i => keys - 1 - i))));
    }

    // Any rows: cosines are those of rounded unit rows, and none that is left out is higher than the last of a list.
    [TestCase(66, 140, 97, 10)]
    [TestCase(20, 200, 192, 32)]
    public void Cosines_are_those_of_rounded_unit_rows(int rows, int keys, int width, int neighbours)
    {
        float[] q = Samples.Normal(5, rows * width), k = Samples.Normal(6, keys * width);
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            using var device = (CudaDevice)on.Open(precision: precision, onWarpgroups: onWarpgroups);
            double[] a = Rounded(q), b = Rounded(k);
            var (cosines, indices) = Forward(device, q, k, width, neighbours);
            double limit = Tolerance.Reduction(width);
            for (int row = 0; row < rows; row++)
            {
                double[] all = [.. Enumerable.Range(0, keys).Select(key => Dot(a, row, b, key, width))];
                var own = indices.AsSpan(row * neighbours, neighbours).ToArray();
                Assert.That(own, Is.Unique);
                Close.Assert(cosines.AsSpan(row * neighbours, neighbours), [.. own.Select(key => all[key])], limit, $"{precision}, {onWarpgroups}, own cosines of row {row}");
                Close.Assert(cosines.AsSpan(row * neighbours, neighbours), [.. all.OrderDescending().Take(neighbours)], limit, $"{precision}, {onWarpgroups}, row {row}");
            }

            double[] Rounded(float[] values) => Rounding.Of(
                precision, Samples.Read(L2Normalize.Forward(null, Samples.Constant(device, new Shape(values.Length / width, width), values))));
        }
    }

    [Test]
    public void Short_lists_need_no_cosines_in_memory()
    {
        using var device = (CudaDevice)on.Open();
        Assert.That(Kernels(device, 32), Has.Member("cosine_top_k_fp32_64").And.None.StartsWith("mat_mul"));
        Assert.That(Kernels(device, 33), Has.Member("cosine_top_k_merge").And.Some.StartsWith("mat_mul").And.None.StartsWith("cosine_top_k_fp32"));
    }

    [Test]
    public void Warpgroups_are_chosen_on_Hopper_for_bf16_and_enough_work()
    {
        using var device = on.OpenHopper(WarpgroupKernel);
        Assert.That(Kernels(device, 9), Has.Member("cosine_top_k_wgmma"));
        device.AlwaysOnWarpgroups = false;
        Assert.That(Kernels(device, 9), Has.Member("cosine_top_k_bf16_64"), "little work");
        device.AlwaysOnWarpgroups = true;
        device.Precision = Precision.Tf32;
        Assert.That(Kernels(device, 9), Has.Member("cosine_top_k_tf32_64"), "another precision");
        device.Precision = Precision.Bf16;
        device.UsesBulkCopies = false;
        Assert.That(Kernels(device, 9), Has.Member("cosine_top_k_bf16_64"), "when told so");
    }

    private static List<string> Kernels(CudaDevice device, int neighbours)
    {
        var launched = new List<string>();
        device.Launching = kernel => launched.Add(kernel.Name);
        Forward(device, Samples.Normal(1, 2 * 8), Samples.Normal(2, 40 * 8), 8, neighbours);
        device.Launching = null;
        return launched;
    }

    private static (float[] Cosines, int[] Indices) Forward(Device device, float[] queries, float[] keys, int width, int neighbours)
    {
        device.Workspace.Reset();
        var (cosines, indices) = CosineTopK.Forward(
            Samples.Constant(device, new Shape(queries.Length / width, width), queries), Samples.Constant(device, new Shape(keys.Length / width, width), keys), neighbours);
        return (Samples.Read(cosines), Integers(indices));
    }

    // Unit rows in the middle of rows that are longer by 5.
    private static Tensor Inside(Device device, float[] rows, int width)
    {
        const int before = 2, more = 5;
        float[] unit = Samples.Read(L2Normalize.Forward(null, Samples.Constant(device, new Shape(rows.Length / width, width), rows)));
        float[] all = [.. unit.Chunk(width).SelectMany(row => Enumerable.Repeat(float.NaN, before).Concat(row).Concat(Enumerable.Repeat(float.NaN, more - before)))];
        var whole = Samples.Constant(device, new Shape(rows.Length / width, width + more), all);
        return device.Workspace.View(whole, new Shape(rows.Length / width, width), before, width + more);
    }

    // A full sort in f64. A cosine of a row of zeros is 0, of a NaN a NaN.
    private static (float[] Cosines, int[] Indices) Sorted(float[] queries, float[] keys, int width, int neighbours)
    {
        double[] a = Unit(queries), b = Unit(keys);
        var sorted = Enumerable.Range(0, queries.Length / width).SelectMany(row => Enumerable.Range(0, keys.Length / width)
            .Select(key => (Cosine: Dot(a, row, b, key, width), Key: key))
            .OrderBy(one => double.IsNaN(one.Cosine)).ThenByDescending(one => one.Cosine).ThenBy(one => one.Key).Take(neighbours)).ToArray();
        return ([.. sorted.Select(one => (float)one.Cosine)], [.. sorted.Select(one => one.Key)]);

        double[] Unit(float[] rows) => [.. rows.Chunk(width).SelectMany(row =>
        {
            double length = Math.Sqrt(row.Sum(value => (double)value * value));
            return row.Select(value => length == 0 ? 0 : value / length);
        })];
    }

    private static double Dot(double[] a, int row, double[] b, int key, int width)
    {
        double sum = 0;
        for (int d = 0; d < width; d++)
        {
            sum += a[(row * width) + d] * b[(key * width) + d];
        }

        return sum;
    }

    private static int[] Integers(Tensor tensor)
    {
        int[] values = new int[tensor.Count];
        tensor.CopyIntsTo(values);
        return values;
    }
}
