using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>The arithmetics of the convolution over maps against f64, forward and backward.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
[Category("Sanitized")]
public class Conv2dPrecisionTests(TestDevice on)
{
    // Channels by fours take the copies of 16 bytes. The second splits the sums of the weight gradient; the fourth has no taps for
    // some elements of x. Channels by eights, in the last three, are what Hopper's warpgroups take: with more than 64 outputs, and with several tiles and
    // a split.
    [TestCase("2 5 17 12 20 3 3 1 1 1 1")]
    [TestCase("2 12 31 3 7 3 3 1 1 1 1")]
    [TestCase("1 7 19 8 70 3 3 2 2 1 1")]
    [TestCase("2 6 9 16 8 1 1 2 2 0 0")]
    [TestCase("3 6 30 24 40 3 3 1 1 1 1")]
    public void Every_arithmetic_matches_f64_on_equally_rounded_operands(string sizes)
    {
        var s = new MapSizes(sizes);
        foreach (var (precision, onWarpgroups) in on.Arithmetics)
        {
            Check(s, precision, onWarpgroups);
        }
    }

    [Test]
    public void Hopper_takes_maps_of_whole_units_of_channels()
    {
        if (on.Open(precision: Precision.Bf16, onWarpgroups: true) is not CudaDevice { ComputeCapability: (9, 0) } device)
        {
            Assert.Ignore("skipped, optional: not a GPU of compute capability 9.0");
            return;
        }

        using (device)
        {
            Assume.That(
                EmulatorSettings.IsEmulator(device.Driver) || device.Has(new KernelId("encoder/conv2d", "conv2d_correlate_wgmma_64")),
                "skipped, optional: binaries by NVRTC 11");
            var launched = new List<string>();
            device.Launching = kernel => launched.Add(kernel.Name);
            string[] whole = ["conv2d_correlate_wgmma_64", "conv2d_weight_gradient_wgmma_64", "conv2d_correlate_wgmma_64"];
            Assert.That(Kernels("1 3 4 8 16 3 3 1 1 1 1"), Is.EqualTo(whole));
            Assert.That(Kernels("1 3 4 8 65 3 3 1 1 1 1"), Is.EqualTo(new[] { "conv2d_correlate_wgmma_128", "conv2d_weight_gradient_wgmma_128" }));
            Assert.That(Kernels("1 3 4 4 16 3 3 1 1 1 1"), Is.EqualTo(new[] { "conv2d_correlate_wgmma_64" }), "the gradient by x only");
            device.AlwaysOnWarpgroups = false;
            Assert.That(Kernels("1 3 4 8 16 3 3 1 1 1 1"), Is.Empty, "little work");
            (device.AlwaysOnWarpgroups, device.UsesWarpgroups) = (true, false);
            Assert.That(Kernels("1 3 4 8 16 3 3 1 1 1 1"), Is.Empty, "when told so");

            IEnumerable<string> Kernels(string sizes)
            {
                var s = new MapSizes(sizes);
                launched.Clear();
                var tape = new Tape();
                var x = Samples.Variable(device, s.X, Samples.Normal(1, s.X.Count));
                var y = s.Forward(tape, x, Samples.Variable(device, s.Weight, Samples.Normal(2, s.Weight.Count)), null);
                y.GradForWrite(out _).CopyFrom(Samples.Normal(3, s.Y.Count));
                GradientCheck.Backward(tape);
                return launched.Where(name => name.StartsWith("conv2d", StringComparison.Ordinal) && name.Contains("wgmma", StringComparison.Ordinal));
            }
        }
    }

    private void Check(MapSizes s, Precision precision, bool onWarpgroups)
    {
        float[] x = Samples.Normal(1, s.X.Count), w = Samples.Normal(2, s.Weight.Count), dy = Samples.Normal(3, s.Y.Count);
        var (y, dx, dw) = Run();
        var (exactX, exactW) = MapReference.Conv2dBackward(s, Samples.ToDouble(x), Samples.ToDouble(w), Samples.ToDouble(dy));
        var (roundX, roundW) = MapReference.Conv2dBackward(s, Rounding.Of(precision, x), Rounding.Of(precision, w), Rounding.Of(precision, dy));
        int taps = s.TapsHeight * s.TapsWidth;
        string what = $"{precision}{(onWarpgroups ? ", warpgroups" : "")}";
        Rounding.AssertProduct(
            precision, taps * s.Inputs, y, MapReference.Conv2d(s, Rounding.Of(precision, x), Rounding.Of(precision, w), null),
            MapReference.Conv2d(s, Samples.ToDouble(x), Samples.ToDouble(w), null), what);
        Rounding.AssertProduct(precision, taps * s.Outputs, dx, roundX, exactX, $"gradient of x, {what}");
        Rounding.AssertProduct(precision, s.Y.Count / s.Outputs, dw, roundW, exactW, $"gradient of the weight, {what}");
        var again = Run();
        bool[] same = [again.Y.AsSpan().SequenceEqual(y), again.Dx.AsSpan().SequenceEqual(dx), again.Dw.AsSpan().SequenceEqual(dw)];
        Assert.That(same, Is.All.True, $"the same bits again, {what}");

        (float[] Y, float[] Dx, float[] Dw) Run()
        {
            using var device = on.Open(precision: precision, onWarpgroups: onWarpgroups);
            var tx = Samples.Variable(device, s.X, x);
            var tw = Samples.Variable(device, s.Weight, w);
            var tape = new Tape();
            var result = s.Forward(tape, tx, tw, null);
            result.GradForWrite(out _).CopyFrom(dy);
            GradientCheck.Backward(tape);
            return (Samples.Read(result), Samples.Read(tx.Grad!), Samples.Read(tw.Grad!));
        }
    }
}
