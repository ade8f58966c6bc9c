using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Numerics;

/// <summary>The products of Hopper's warpgroups against f64, with every tile, order and split, and when they are chosen.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public unsafe class WarpgroupGemmTests(TestDevice on)
{
    // One element; ragged over two tiles each way; aligned; a split inner length; a long one, for which every stage is used three times.
    private static readonly (int M, int N, int K, bool Splits)[] Sizes = [(1, 1, 1, true), (133, 261, 75, true), (72, 24, 192, true), (20, 140, 580, true), (9, 24, 600, false)];

    private static IEnumerable<TestCaseData> Cases() =>
        from size in Sizes
        from transposeA in new[] { false, true }
        from transposeB in new[] { false, true }
        select new TestCaseData(size.M, size.N, size.K, size.Splits, transposeA, transposeB);

    [TestCaseSource(nameof(Cases))]
    [Category("Sanitized")]
    public void Both_tiles_match_f64_on_equally_rounded_operands(int m, int n, int k, bool splits, bool transposeA, bool transposeB)
    {
        float[] a = Samples.Normal(1, m * k), b = Samples.Normal(2, k * n), start = Samples.Normal(3, m * n), bias = Samples.Normal(4, n);
        double[] want = Product(Rounding.Of(Precision.Bf16, a), Rounding.Of(Precision.Bf16, b)), exact = Product(Samples.ToDouble(a), Samples.ToDouble(b));
        using var device = OpenHopper();
        foreach (bool wide in new[] { false, true })
        {
            var got = Run(wide, bulkCopies: true);
            Rounding.AssertProduct(Precision.Bf16, k, got, want, exact, wide ? "wide" : "narrow");
            Assert.That(Run(wide, bulkCopies: true), Is.EqualTo(got), "the same bits again");
            Assert.That(Run(wide, bulkCopies: false), Is.EqualTo(got), "the same bits with tiles that the threads copy");
        }

        float[] Run(bool wide, bool bulkCopies)
        {
            device.UsesBulkCopies = bulkCopies;
            device.Workspace.Reset();
            var (ta, tb) = (Samples.Constant(device, new Shape(m, k), a), Samples.Constant(device, new Shape(k, n), b));
            var (tc, bt) = (Samples.Constant(device, new Shape(m, n), start), Samples.Constant(device, new Shape(n), bias));
            var va = transposeA ? MatrixView.Of(ta.Data, k, m, m).Transposed : MatrixView.Of(ta.Data, m, k, k);
            var vb = transposeB ? MatrixView.Of(tb.Data, n, k, k).Transposed : MatrixView.Of(tb.Data, k, n, n);
            WarpgroupGemm.Multiply(device, WarpgroupGemm.Plan.Of(m, n, k, wide, splits), va, vb, tc.Data, n, accumulate: true, new ProductEpilogue(bt));
            return Samples.Read(tc);
        }

        double[] Product(double[] x, double[] y)
        {
            var sums = new double[m * n];
            for (int i = 0; i < m; i++)
            {
                for (int j = 0; j < n; j++)
                {
                    double sum = start[(i * n) + j] + bias[j];
                    for (int q = 0; q < k; q++)
                    {
                        sum += x[transposeA ? (q * m) + i : (i * k) + q] * y[transposeB ? (j * k) + q : (q * n) + j];
                    }

                    sums[(i * n) + j] = sum;
                }
            }

            return sums;
        }
    }

    // One row of a tile beside whole ones; a ragged edge of columns within and beyond a narrow tile.
    [TestCase(129, 261)]
    [TestCase(70, 24)]
    [Category("Sanitized")]
    public void Both_tiles_measure_what_they_store(int m, int n)
    {
        const int k = 72, tile = 128;
        const float slope = 0.1f;
        float[] a = Samples.Normal(1, m * k), b = Samples.Normal(2, n * k), bias = Samples.Normal(3, n, 100f);
        using var device = OpenHopper();
        foreach (var (wide, bulkCopies) in new[] { (false, false), (false, true), (true, false), (true, true) })
        {
            device.UsesBulkCopies = bulkCopies;
            device.Workspace.Reset();
            var (ta, tb, bt) = (Samples.Constant(device, new Shape(m, k), a), Samples.Constant(device, new Shape(n, k), b), Samples.Constant(device, new Shape(n), bias));
            var (tc, moments) = (device.Workspace.Rent(new Shape(m, n)), device.Workspace.Rent(new Shape((m + tile - 1) / tile, 3, n)));
            var epilogue = new ProductEpilogue(bt) { Moments = moments.Data, Slope = slope };
            WarpgroupGemm.Multiply(
                device, WarpgroupGemm.Plan.Of(m, n, k, wide, splits: false), MatrixView.Of(ta.Data, m, k, k), MatrixView.Of(tb.Data, n, k, k).Transposed, tc.Data, n,
                accumulate: false, epilogue);
            float[] stored = Samples.Read(tc), got = Samples.Read(moments);
            for (int first = 0; first < m; first += tile)
            {
                for (int c = 0; c < n; c++)
                {
                    double[] column = [.. Enumerable.Range(first, Math.Min(tile, m - first)).Select(r => (double)stored[(r * n) + c]).Select(v => v > 0 ? v : v * slope)];
                    double mean = column.Average(), deviation = column.Sum(v => (v - mean) * (v - mean));
                    int at = (first / tile * 3 * n) + c;
                    Assert.That((double)got[at] + got[at + n], Is.EqualTo(mean).Within(2e-6 * Math.Abs(mean)), $"mean, wide {wide}, bulk {bulkCopies}");
                    Assert.That(got[at + (2 * n)], Is.EqualTo(deviation).Within(2e-5 * deviation), $"squared deviations, wide {wide}, bulk {bulkCopies}");
                }
            }
        }
    }

    [Test]
    public void The_copy_engine_brings_the_tiles_where_it_can()
    {
        using var device = OpenHopper();
        Assume.That(device.Driver.HasTensorMaps, "skipped, optional: a driver without tensor maps");
        var launched = new List<string>();
        device.Launching = kernel => launched.Add(kernel.Name);
        Assert.That(Products(padding: Padding.Zero, frames: 16, channels: 64), Is.All.Contains("bulk"), "of whole boxes");
        Assert.That(Products(padding: Padding.Zero, frames: 15, channels: 64), Is.All.Not.Contains("bulk"), "boxes would pass to the next utterance");
        Assert.That(Products(padding: Padding.Reflect, frames: 16, channels: 64), Is.All.Not.Contains("bulk"), "it fills with zeros only");
        Assert.That(Products(padding: Padding.Zero, frames: 16, channels: 24), Is.All.Not.Contains("bulk"), "boxes would pass to the next tap");
        device.UsesBulkCopies = false;
        Assert.That(Products(padding: Padding.Zero, frames: 16, channels: 64), Is.All.Not.Contains("bulk"), "when told so");
        device.UsesWarpgroups = false;
        Assert.That(Products(padding: Padding.Zero, frames: 16, channels: 64), Is.Empty, "when told so");

        IEnumerable<string> Products(Padding padding, int frames, int channels)
        {
            launched.Clear();
            var x = Samples.Constant(device, new Shape(2, frames, channels), Samples.Normal(1, 2 * frames * channels));
            Conv1d.Forward(null, x, Samples.Constant(device, new Shape(8, 3, channels), Samples.Normal(2, 24 * channels)), null, 2, padding);
            return launched.Where(name => name.StartsWith("mat_mul_wgmma", StringComparison.Ordinal) && !name.EndsWith("_round", StringComparison.Ordinal));
        }
    }

    [Test]
    public void Boxes_lie_within_an_outer_index()
    {
        var plain = MatrixView.Of(null, 75, 40, 40);
        var windows = plain with { Rows = 120, Inner = 40, Positions = 44, Segments = 3, SegmentWidth = 64, Step = 2 };
        Assert.That(WarpgroupGemm.BoxRows(plain, 128), Is.EqualTo(128), "rows beyond the last are outside of the tensor");
        Assert.That(WarpgroupGemm.BoxRows(windows, 128), Is.EqualTo(8));
        Assert.That(WarpgroupGemm.BoxRows(windows with { Inner = 96, Rows = 192 }, 64), Is.EqualTo(32));
        Assert.That(WarpgroupGemm.BoxRows(windows with { Inner = 44, Rows = 88 }, 64), Is.Zero, "too few rows for the swizzle's pattern");
        Assert.That(WarpgroupGemm.BoxRows(windows with { SegmentWidth = 72 }, 64), Is.Zero, "a tile over two taps");
        Assert.That(WarpgroupGemm.BoxRows(windows with { Edge = EdgeRows.Reflect }, 64), Is.Zero, "mirrored rows");
        Assert.That(WarpgroupGemm.BoxRows(plain with { Positions = 90 }, 64), Is.Zero, "rows beyond the last would be others' rows");
    }

    [Test]
    public void Recorded_products_keep_their_maps()
    {
        using var device = OpenHopper();
        Assume.That(device.Driver.HasTensorMaps, "skipped, optional: a driver without tensor maps");
        const int m = 9, n = 40, k = 70;
        float[] a = Samples.Normal(1, m * k), b = Samples.Normal(2, k * n);
        var (ta, tb) = (device.AllocatePersistent(new Shape(m, k)), device.AllocatePersistent(new Shape(k, n)));
        var tc = device.AllocatePersistent(new Shape(m, n));
        tb.CopyFrom(b);
        Multiply(a);
        float[] want = Samples.Read(tc), other = [.. a.Select(value => -value)];
        device.Driver.BeginCapture(device.Stream);
        WarpgroupGemm.Multiply(device, WarpgroupGemm.Plan.Of(m, n, k), MatrixView.Of(ta.Data, m, k, k), MatrixView.Of(tb.Data, k, n, n), tc.Data, n, false, default);
        var recorded = device.Driver.EndCapture(device.Stream);
        var graph = device.Driver.Instantiate(recorded);
        device.Driver.Destroy(recorded);
        foreach (var (values, sign) in new[] { (other, -1f), (a, 1f) })
        {
            ta.CopyFrom(values);
            device.Driver.Launch(graph, device.Stream);
            Assert.That(Samples.Read(tc), Is.EqualTo(want.Select(value => sign * value)));
        }

        device.Driver.Destroy(graph);

        void Multiply(float[] values)
        {
            ta.CopyFrom(values);
            WarpgroupGemm.Multiply(device, WarpgroupGemm.Plan.Of(m, n, k), MatrixView.Of(ta.Data, m, k, k), MatrixView.Of(tb.Data, k, n, n), tc.Data, n, false, default);
        }
    }

    [Test]
    public void Copies_leave_the_workspace_as_it_was()
    {
        using var device = OpenHopper();
        var (a, b, c) = (device.Workspace.Rent(new Shape(9, 16)), device.Workspace.Rent(new Shape(16, 10)), device.Workspace.Rent(new Shape(9, 10)));
        var before = device.Workspace.Position;
        WarpgroupGemm.Multiply(device, WarpgroupGemm.Plan.Of(9, 10, 16), MatrixView.Of(a.Data, 9, 16, 16), MatrixView.Of(b.Data, 16, 10, 10), c.Data, 10, false, default);
        Assert.That(device.Workspace.Position, Is.EqualTo(before));
    }

    [Test]
    public void They_are_chosen_for_large_products_on_Hopper()
    {
        using var device = OpenHopper();
        device.AlwaysOnWarpgroups = false;
        Assert.That(Suits(device, 51200, 512, 512), "a layer of frames");
        Assert.That(Suits(device, 512, 512, 51200), "the gradient of its weight");
        Assert.That(Suits(device, 51200, 16, 512), Is.False, "rounding costs more than few columns save");
        Assert.That(Suits(device, 256, 192, 1536), Is.False, "a small product");
        Assert.That(Suits(device, 51200, 512, 5 * 20, segments: 5), Is.False, "taps that copies of 8 elements straddle");
        Assert.That(Suits(device, 51200, 512, 5 * 24, segments: 5), "taps that they fit");
        device.AlwaysOnWarpgroups = true;
        Assert.That(Suits(device, 256, 192, 1536), "when told so");
    }

    [Test]
    public void Devices_before_Hopper_have_none()
    {
        using var hopper = (CudaDevice)on.Open();
        Assume.That(EmulatorSettings.IsEmulator(hopper.Driver), "skipped, optional: only the emulator poses as an older device");
        EmulatorSettings.Set(hopper.Driver, "capability", 89);
        try
        {
            using var older = new CudaDevice(hopper.Driver) { Precision = Precision.Bf16, AlwaysOnWarpgroups = true };
            Assert.That(older.ComputeCapability, Is.EqualTo((8, 9)));
            Assert.That(Suits(older, 51200, 512, 512), Is.False);

            // Where it says it is older, the emulator refuses to run them.
            var product = MatMul.Forward(null, Samples.Constant(older, new Shape(1, 2), [2, 3]), Samples.Constant(older, new Shape(2, 1), [4, 5]));
            Assert.That(Samples.Read(product), Is.EqualTo(new float[] { 23 }));
        }
        finally
        {
            EmulatorSettings.Set(hopper.Driver, "capability", 90);
        }
    }

    // The emulator is one; a GPU may not be, or its binaries may be of an older compiler.
    private CudaDevice OpenHopper()
    {
        var device = (CudaDevice)on.Open(onWarpgroups: true);
        if (!EmulatorSettings.IsEmulator(device.Driver) && !Suits(device, 1, 1, 1))
        {
            device.Dispose();
            Assert.Ignore("skipped, optional: not a GPU of compute capability 9.0 with binaries by NVRTC 12");
        }

        return device;
    }

    private static bool Suits(CudaDevice device, int m, int n, int k, int segments = 1)
    {
        var rows = MatrixView.Of(null, m, k, k);
        (rows.Segments, rows.SegmentWidth) = (segments, k / segments);
        return WarpgroupGemm.Suits(device, rows, MatrixView.Of(null, k, n, n));
    }
}
