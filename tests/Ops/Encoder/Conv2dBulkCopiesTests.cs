using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Encoder;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>The convolution over maps with tiles that Hopper's copy engine brings: where it is taken, and against f64.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.Cuda))]
public class Conv2dBulkCopiesTests(TestDevice on)
{
    private const string Correlate = "conv2d_correlate_wgmma", Gradient = "conv2d_weight_gradient_wgmma", Splits = "mat_mul_add_splits";

    // Patches that are ragged along columns, rows and maps, and whole ones over 7 maps; strides alike and not, with taps that some rows of x do not meet, and
    // more than 64 outputs; one tap of channels that 64 does not divide, and with the sums of the weight's gradient in two parts, whose last patch is
    // ragged; no padding, and windows that lie outside of the map but for one element; more stages than the ring has, and taps in three tiles of channels; strides with
    // patches one below another, and beside each other. With each what is to be launched: for the result, the gradient of the weight, whose parts are added where there
    // are several, and that of x, class by class; a class without taps, or of channels that 8 does not divide, is not for warpgroups.
    private static readonly TestCaseData[] Sizes =
    [
        new("3 5 6 64 24 3 3 1 1 1 1", $"{Correlate}_64_bulk {Gradient}_64_bulk {Correlate}_64"),
        new("7 2 16 64 64 3 3 1 1 1 1", $"{Correlate}_64_bulk {Gradient}_64_bulk {Correlate}_64_bulk"),
        new(
            "3 7 9 64 128 3 3 2 2 1 1",
            $"{Correlate}_128_bulk {Gradient}_128_bulk {Correlate}_64_bulk {Correlate}_64_bulk {Correlate}_64_bulk {Correlate}_64_bulk"),
        new("2 11 6 64 70 5 3 3 1 2 1", $"{Correlate}_128_bulk {Gradient}_128_bulk"),
        new("2 6 9 72 64 1 1 2 2 0 0", $"{Correlate}_64_bulk {Gradient}_64_bulk {Correlate}_128_bulk"),
        new("5 3 41 24 8 1 1 1 1 0 0", $"{Correlate}_64_bulk {Gradient}_64_bulk {Splits} {Correlate}_64_bulk"),
        new("1 4 9 64 64 3 3 1 1 0 0", $"{Correlate}_64_bulk {Gradient}_64_bulk {Correlate}_64_bulk"),
        new("9 1 1 64 64 3 3 1 1 1 1", $"{Correlate}_64_bulk {Gradient}_64_bulk {Correlate}_64_bulk"),
        new("1 3 130 192 16 1 3 1 1 0 1", $"{Correlate}_64_bulk {Gradient}_64_bulk {Splits} {Correlate}_128"),
        new("1 39 9 64 8 3 3 2 2 1 1", $"{Correlate}_64_bulk {Gradient}_64_bulk {Correlate}_64_bulk {Correlate}_64 {Correlate}_64 {Correlate}_64"),
        new("1 3 259 8 8 1 1 1 2 0 0", $"{Correlate}_64_bulk {Gradient}_64_bulk {Splits} {Correlate}_64_bulk"),
    ];

    [TestCaseSource(nameof(Sizes))]
    [Category("Sanitized")]
    public void Every_patch_and_tap_matches_f64_on_equally_rounded_operands(string sizes, string kernels)
    {
        var s = new MapSizes(sizes);
        float[] x = Samples.Normal(1, s.X.Count), w = Samples.Normal(2, s.Weight.Count), dy = Samples.Normal(3, s.Y.Count);
        using var device = OpenHopper();
        var got = Run(bulkCopies: true);
        Assert.That(string.Join(' ', got.Launched), Is.EqualTo(kernels));
        double[] exactX = Samples.ToDouble(x), exactW = Samples.ToDouble(w), exactDy = Samples.ToDouble(dy);
        double[] roundX = Rounding.Of(Precision.Bf16, x), roundW = Rounding.Of(Precision.Bf16, w), roundDy = Rounding.Of(Precision.Bf16, dy);
        var (wantDx, wantDw) = MapReference.Conv2dBackward(s, roundX, roundW, roundDy);
        var (exactDx, exactDw) = MapReference.Conv2dBackward(s, exactX, exactW, exactDy);
        int taps = s.TapsHeight * s.TapsWidth;
        Rounding.AssertProduct(Precision.Bf16, taps * s.Inputs, got.Y, MapReference.Conv2d(s, roundX, roundW, null), MapReference.Conv2d(s, exactX, exactW, null), "result");
        Rounding.AssertProduct(Precision.Bf16, taps * s.Outputs, got.Dx, wantDx, exactDx, "gradient of x");
        Rounding.AssertProduct(Precision.Bf16, s.Y.Count / s.Outputs, got.Dw, wantDw, exactDw, "gradient of the weight");

        var (again, copied) = (Run(bulkCopies: true), Run(bulkCopies: false));
        string byThreads = kernels.Replace("_bulk", "", StringComparison.Ordinal).Replace($" {Splits}", "", StringComparison.Ordinal);
        Assert.That(string.Join(' ', copied.Launched.Where(name => name != Splits)), Is.EqualTo(byThreads));
        foreach (var other in new[] { again, copied })
        {
            Assert.That(other.Y, Is.EqualTo(got.Y), "the same bits, with tiles that the threads copy too");
            Assert.That(other.Dx, Is.EqualTo(got.Dx), "the same bits, with tiles that the threads copy too");
        }

        Assert.That(again.Dw, Is.EqualTo(got.Dw), "the same bits again");

        // A second use adds to the gradients, each element the sum that is there already.
        var twice = Run(bulkCopies: true, uses: 2);
        Assert.That(twice.Launched.Order(), Is.EqualTo(got.Launched.Concat(got.Launched).Order()));
        Assert.That(twice.Dx, Is.EqualTo(got.Dx.Select(v => 2 * v)), "gradient of x of two uses");
        Assert.That(twice.Dw, Is.EqualTo(got.Dw.Select(v => 2 * v)), "gradient of the weight of two uses");

        (float[] Y, float[] Dx, float[] Dw, List<string> Launched) Run(bool bulkCopies, int uses = 1)
        {
            device.UsesBulkCopies = bulkCopies;
            device.Workspace.Reset();
            var launched = Launched(device);
            var (tx, tw) = (Samples.Variable(device, s.X, x), Samples.Variable(device, s.Weight, w));
            var tape = new Tape();
            var y = s.Forward(tape, tx, tw, null);
            y.GradForWrite(out _).CopyFrom(dy);
            for (int use = 1; use < uses; use++)
            {
                s.Forward(tape, tx, tw, null).GradForWrite(out _).CopyFrom(dy);
            }

            GradientCheck.Backward(tape);
            return (Samples.Read(y), Samples.Read(tx.Grad!), Samples.Read(tw.Grad!), launched);
        }
    }

    // Result, gradient of the weight, and of x where the outputs are what its copies need.
    [TestCase("1 3 4 64 64 3 3 1 1 1 1", true, $"{Correlate}_64_bulk {Gradient}_64_bulk {Correlate}_64_bulk")]
    [TestCase("1 3 4 64 65 3 3 1 1 1 1", true, $"{Correlate}_128_bulk {Gradient}_128_bulk")]
    [TestCase("1 3 4 64 64 3 3 1 1 1 1", false, $"{Correlate}_64 {Gradient}_64 {Correlate}_64", TestName = "when told not to")]
    [TestCase("1 3 4 32 64 3 3 1 1 1 1", true, $"{Correlate}_64 {Gradient}_64 {Correlate}_64_bulk", TestName = "a box over two taps")]
    [TestCase("1 3 4 8 16 1 1 1 1 0 0", true, $"{Correlate}_64_bulk {Gradient}_64_bulk {Correlate}_64_bulk", TestName = "one tap of few channels")]
    [TestCase("1 9 9 8 4 1 1 8 8 0 0", true, $"{Correlate}_64_bulk {Gradient}_64_bulk")]
    [TestCase("1 10 9 8 4 1 1 9 8 0 0", true, $"{Correlate}_64 {Gradient}_64", TestName = "longer steps than the engine has")]
    public void The_copy_engine_brings_patches_where_it_can(string sizes, bool bulkCopies, string kernels)
    {
        using var device = OpenHopper();
        device.UsesBulkCopies = bulkCopies;
        var launched = Launched(device);
        var s = new MapSizes(sizes);
        var tape = new Tape();
        var y = s.Forward(tape, Samples.Variable(device, s.X, new float[s.X.Count]), Samples.Variable(device, s.Weight, new float[s.Weight.Count]), null);
        y.GradForWrite(out _).CopyFrom(new float[s.Y.Count]);
        GradientCheck.Backward(tape);
        Assert.That(string.Join(' ', launched), Is.EqualTo(kernels));
    }

    // The second stage of a ResNet on 40 bins by 200 frames, the third and fourth, and the same by 64 windows; one map; one row; steps that keep boxes narrow,
    // and low; windows of less than a patch.
    [TestCase("256 10 100 1 1 128", 2000, 2, 1)]
    [TestCase("256 5 50 1 1 128", 500, 1, 0)]
    [TestCase("256 5 50 1 1 64", 1000, 1, 0)]
    [TestCase("1 5 50 1 1 128", 3, 6, 1)]
    [TestCase("1 1 300 1 2 128", 3, 7, 0)]
    [TestCase("1 1 300 1 3 128", 5, 6, 1)]
    [TestCase("1 300 1 8 1 128", 10, 2, 5)]
    [TestCase("3 2 2 1 1 128", 1, 4, 1)]
    public void Patches_are_as_few_as_can_be(string sizes, int count, int widthBits, int heightBits)
    {
        int[] s = [.. sizes.Split(' ').Select(int.Parse)];
        var patches = Conv2d.MapPatches.Of(s[0], s[1], s[2], s[3], s[4], s[5])!.Value;
        Assert.That((patches.Count, patches.WidthBits, patches.HeightBits), Is.EqualTo((count, widthBits, heightBits)));
        Assert.That((patches.Across, patches.Down), Is.EqualTo(((s[2] - 1 >> widthBits) + 1, (s[1] - 1 >> heightBits) + 1)));
    }

    [Test]
    public void Maps_of_other_dimensions_are_refused()
    {
        using var device = OpenHopper();
        Assert.That(() => device.Driver.EncodeTensorMap(64, [8, 4], [8]), Throws.ArgumentException);
        Assert.That(() => device.Driver.EncodeTensorMap(64, [8, 4], [8, 4], [1]), Throws.ArgumentException);
        Assert.That(() => device.Driver.EncodeTensorMap(64, [], []), Throws.ArgumentException);
        Assert.That(() => device.Driver.EncodeTensorMap(64, [8, 1, 1, 1, 1, 1], [8, 1, 1, 1, 1, 1]), Throws.ArgumentException);
    }

    // Fills with what a device launches from now on of the products on warpgroups, and of the sums of their parts.
    private static List<string> Launched(CudaDevice device)
    {
        var launched = new List<string>();
        device.Launching = kernel =>
        {
            if (kernel.Name == Splits || kernel.Name.StartsWith(Correlate, StringComparison.Ordinal) || kernel.Name.StartsWith(Gradient, StringComparison.Ordinal))
            {
                launched.Add(kernel.Name);
            }
        };
        return launched;
    }

    private CudaDevice OpenHopper()
    {
        var device = (CudaDevice)on.Open(precision: Precision.Bf16, onWarpgroups: true);
        if (!WarpgroupGemm.IsOn(device) || !WarpgroupGemm.HasBulkCopies(device) || !device.Has(new KernelId("encoder/conv2d", $"{Correlate}_64_bulk")))
        {
            device.Dispose();
            Assert.Ignore("skipped, optional: not a GPU of compute capability 9.0 with binaries by NVRTC 12");
        }

        return device;
    }
}
