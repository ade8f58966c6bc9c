using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class Conv2dTests(TestDevice on)
{
    // N H W Ci Co kH kW sH sW padH padW: one element, the stem, 3 × 3 at both strides, a downsampling 1 × 1, even and lopsided kernels,
    // strides wider than the kernel.
    [Test]
    public void Gradients_match_differences(
        [Values] bool biased,
        [Values(
            "1 1 1 1 1 1 1 1 1 0 0",
            "2 5 6 1 3 7 7 2 1 3 3",
            "1 4 7 3 4 3 3 1 1 1 1",
            "2 5 6 2 5 3 3 2 2 1 1",
            "2 5 6 3 2 1 1 2 2 0 0",
            "1 4 5 2 3 2 3 1 2 1 0",
            "1 7 8 2 2 2 1 3 4 0 0")] string sizes)
    {
        var s = new MapSizes(sizes);
        using var device = on.Open();
        var inputs = new List<(string, Shape, float[])>
        {
            ("x", s.X, Samples.Normal(1, s.X.Count)),
            ("weight", s.Weight, Samples.Normal(2, s.Weight.Count)),
        };
        if (biased)
        {
            inputs.Add(("bias", new Shape(s.Outputs), Samples.Normal(3, s.Outputs)));
        }

        GradientCheck.Run(
            device,
            [.. inputs],
            (tape, v) => s.Forward(tape, v[0], v[1], biased ? v[2] : null),
            v => MapReference.Conv2d(s, v[0], v[1], biased ? v[2] : null));
    }

    // Around tiles of 12 rows and 16 or 32 channels, channels that are no multiple of 4, several patches along frequency and time.
    [TestCase("2 5 31 16 16 3 3 1 1 1 1")]
    [TestCase("1 7 33 16 32 3 3 2 2 1 1")]
    [TestCase("2 3 13 33 49 3 3 2 1 1 1")]
    [TestCase("1 9 25 1 16 7 7 2 1 3 3")]
    [TestCase("2 3 12 40 17 1 1 1 1 0 0")]
    [TestCase("1 5 24 64 70 3 3 1 1 1 1")]
    public void Large_and_ragged_maps_match_f64(string sizes)
    {
        var s = new MapSizes(sizes);
        using var device = on.Open();
        Compare(device, s);
    }

    // Source, result and their gradients as channels of wider maps, and gradients that are added to.
    [Test]
    public void Channel_views_give_the_same_bits([Values(1, 2)] int stride)
    {
        var s = new MapSizes($"2 4 14 8 12 3 3 {stride} {stride} 1 1");
        using var device = on.Open();
        float[] x = Samples.Normal(1, s.X.Count), w = Samples.Normal(2, s.Weight.Count), dy = Samples.Normal(3, s.Y.Count);
        var plain = Samples.Variable(device, s.X, x);
        float[] want = Run(plain, null);
        var wide = Samples.Variable(device, new Shape(s.Batch, s.Height, s.Width, 20), new float[s.X.Count / 8 * 20]).Channels(4, 8);
        wide.CopyFrom(x);
        var target = Samples.Variable(device, new Shape(s.Batch, s.OutputHeight, s.OutputWidth, 31), new float[s.Y.Count / 12 * 31]).Channels(16, 12);
        Assert.That(Run(wide, target), Is.EqualTo(want));

        float[] Run(Tensor from, Tensor? output)
        {
            var tape = new Tape();
            var weight = Samples.Variable(device, s.Weight, w);
            var y = s.Forward(tape, from, weight, null, output);
            float[] result = Samples.Read(y);
            y.GradForWrite(out _).CopyFrom(dy);
            GradientCheck.Backward(tape);
            return [.. result, .. Samples.Read(from.Grad!), .. Samples.Read(weight.Grad!)];
        }
    }

    [Test]
    public void A_second_use_adds_to_the_gradients()
    {
        var s = new MapSizes("2 5 13 3 4 3 3 2 2 1 1");
        using var device = on.Open();
        var x = Samples.Variable(device, s.X, Samples.Normal(1, s.X.Count));
        var w = Samples.Variable(device, s.Weight, Samples.Normal(2, s.Weight.Count));
        var b = Samples.Variable(device, new Shape(s.Outputs), Samples.Normal(3, s.Outputs));
        float[] once = Gradients(1), twice = Gradients(2);
        Close.Assert(twice, once.Select(v => 2.0 * v).ToArray(), 1e-5 * once.Max(Math.Abs), "gradients of two uses");

        float[] Gradients(int uses)
        {
            var (tx, tw, tb) = (Copy(x), Copy(w), Copy(b));
            var tape = new Tape();
            for (int i = 0; i < uses; i++)
            {
                s.Forward(tape, tx, tw, tb).GradForWrite(out _).CopyFrom(Samples.Normal(4, s.Y.Count));
            }

            GradientCheck.Backward(tape);
            return [.. Samples.Read(tx.Grad!), .. Samples.Read(tw.Grad!), .. Samples.Read(tb.Grad!)];
        }

        Tensor Copy(Tensor t) => Samples.Variable(device, t.Shape, Samples.Read(t));
    }

    [Test]
    public void Runs_give_the_same_bits_on_any_number_of_threads()
    {
        var s = new MapSizes("3 9 40 16 33 3 3 1 1 1 1");
        float[][] results = [.. new[] { 1, 2, 3 }.Select(Run)];
        Assert.That(results[1], Is.EqualTo(results[0]));
        Assert.That(results[2], Is.EqualTo(results[0]));

        float[] Run(int threads)
        {
            using var device = on.Open(threads);
            var x = Samples.Variable(device, s.X, Samples.Normal(1, s.X.Count));
            var w = Samples.Variable(device, s.Weight, Samples.Normal(2, s.Weight.Count));
            var tape = new Tape();
            var y = s.Forward(tape, x, w, null);
            y.GradForWrite(out _).CopyFrom(Samples.Normal(3, y.Count));
            GradientCheck.Backward(tape);
            return [.. Samples.Read(y), .. Samples.Read(x.Grad!), .. Samples.Read(w.Grad!)];
        }
    }

    [Test]
    public void A_NaN_reaches_the_windows_that_hold_it_and_no_other()
    {
        var s = new MapSizes("1 5 15 2 3 3 3 1 1 1 1");
        using var device = on.Open();
        float[] x = Samples.Normal(1, s.X.Count);
        x[((2 * 15) + 7) * 2] = float.NaN;
        float[] y = Samples.Read(s.Forward(null, Samples.Constant(device, s.X, x), Samples.Constant(device, s.Weight, Samples.Normal(2, s.Weight.Count)), null));
        for (int i = 0; i < y.Length; i++)
        {
            int column = i / 3 % 15, row = i / 3 / 15;
            Assert.That(float.IsNaN(y[i]), Is.EqualTo(row is >= 1 and <= 3 && column is >= 6 and <= 8), $"row {row}, column {column}");
        }
    }

    [Test]
    public void Misfits_are_named()
    {
        using var device = on.Open(1);
        var x = device.Workspace.Rent(new Shape(1, 4, 2, 3));
        var w = device.Workspace.Rent(new Shape(5, 3, 3, 3));
        Assert.That(() => Conv2d.Forward(null, x, w), Throws.TypeOf<ShapeException>().With.Message.Contains("width 3 at least; given 2"));
        Assert.That(() => Conv2d.Forward(null, x, w, paddingHeight: 3, paddingWidth: 1), Throws.TypeOf<ShapeException>().With.Message.Contains("padding of 0 to 2; given 3"));
        Assert.That(() => Conv2d.Forward(null, w, device.Workspace.Rent(new Shape(5, 3, 3, 4))), Throws.TypeOf<ShapeException>().With.Message.Contains("given [5, 3, 3, 3] and [5, 3, 3, 4]"));
        Assert.That(
            () => Conv2d.Forward(null, x, w, device.Workspace.Rent(new Shape(4)), 1, 1, 1, 1),
            Throws.TypeOf<ShapeException>().With.Message.Contains("a bias of 5 elements"));
        Assert.That(
            () => Conv2d.Forward(null, x, w, null, 1, 1, 1, 1, device.Workspace.Rent(new Shape(1, 4, 2, 4))),
            Throws.TypeOf<ShapeException>().With.Message.Contains("Conv2d writes [1, 4, 2, 5]"));
    }

    internal static void Compare(Device device, MapSizes s)
    {
        float[] x = Samples.Normal(1, s.X.Count), w = Samples.Normal(2, s.Weight.Count), dy = Samples.Normal(3, s.Y.Count);
        var tx = Samples.Variable(device, s.X, x);
        var tw = Samples.Variable(device, s.Weight, w);
        var tape = new Tape();
        var y = s.Forward(tape, tx, tw, null);
        y.GradForWrite(out _).CopyFrom(dy);
        GradientCheck.Backward(tape);
        var (dx, dw) = MapReference.Conv2dBackward(s, Samples.ToDouble(x), Samples.ToDouble(w), Samples.ToDouble(dy));
        Check(Samples.Read(y), MapReference.Conv2d(s, Samples.ToDouble(x), Samples.ToDouble(w), null), "output");
        Check(Samples.Read(tx.Grad!), dx, "gradient of x");
        Check(Samples.Read(tw.Grad!), dw, "gradient of weight");

        static void Check(float[] got, double[] want, string what) => Close.Assert(got, want, 2e-6 * want.Max(Math.Abs), what);
    }
}

/// <summary>The CPU's division of work.</summary>
public class Conv2dCpuTests
{
    [TestCase("1 3 1500 16 16 3 3 1 1 1 1")]
    [TestCase("3 40 101 16 5 3 3 2 2 1 1")]
    [TestCase("1 2 30 130 128 3 3 1 1 1 1")]
    public void Maps_of_many_patches_match_f64(string sizes)
    {
        using var device = new CpuDevice(2);
        Conv2dTests.Compare(device, new MapSizes(sizes));
    }

    [Test]
    public void A_repeated_step_allocates_nothing()
    {
        var s = new MapSizes("2 5 26 8 20 3 3 2 2 1 1");
        using var device = new CpuDevice(2);
        float[] x = Samples.Normal(1, s.X.Count), w = Samples.Normal(2, s.Weight.Count), dy = Samples.Normal(3, s.Y.Count);
        var tape = new Tape();
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            var y = s.Forward(tape, Samples.Variable(device, s.X, x), Samples.Variable(device, s.Weight, w), null);
            y.GradForWrite(out _).CopyFrom(dy);
            tape.BackwardFromGradients();
        });
    }
}
