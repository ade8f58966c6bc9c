using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class StatsPoolTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "stats_pooling" } })]
    public void Matches_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = on.Open();
        var x = g.Input("x");
        var tape = new Tape();
        var tx = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[2], x.Shape[1]), Layout.Swap(x));
        var y = StatsPool.Forward(tape, tx);
        g.AssertOutput("y", Samples.Read(y));
        y.GradForWrite(out _).CopyFrom(g.Input("grad_y").ToSingle());
        GradientCheck.Backward(tape);
        g.AssertOutput("grad_x", Layout.Swap(Samples.Read(tx.Grad!), tx.Shape));
    }

    [Test]
    public void Gradients_match_differences([Values] PoolVariance variance, [Values("1 2 1", "2 9 31", "3 5 32", "1 4 33", "2 3 150")] string size)
    {
        int[] s = [.. size.Split(' ').Select(int.Parse)];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("x", new Shape(s[0], s[1], s[2]), Samples.Normal(1, s[0] * s[1] * s[2]))],
            (tape, v) => StatsPool.Forward(tape, v[0], 1e-3f, variance),
            v => EncoderReference.StatsPool(new Frames(s[0], s[1], s[2], v[0]), 1e-3f, variance).V);
    }

    [Test]
    public void A_constant_channel_has_a_finite_gradient()
    {
        using var device = on.Open(1);
        foreach (var (variance, deviation, slope) in new[] { (PoolVariance.UnbiasedPlusEps, 1e-3, 0.0), (PoolVariance.BiasedClamped, 1e-3, 0.0) })
        {
            var tape = new Tape();
            var x = Samples.Variable(device, new Shape(1, 5, 20), LayerCheck.Constant(100, 7f));
            var y = StatsPool.Forward(tape, x, 1e-6f, variance);
            Close.Assert(Samples.Read(y), [.. Enumerable.Repeat(7.0, 20), .. Enumerable.Repeat(deviation, 20)], 1e-7, "y");
            y.GradForWrite(out _).CopyFrom([.. Enumerable.Repeat(0f, 20), .. Enumerable.Repeat(1f, 20)]);
            GradientCheck.Backward(tape);
            Close.Assert(Samples.Read(x.Grad!), LayerCheck.Constant(100, (float)slope), 1e-7, "dx");
        }
    }

    [Test]
    public void A_channel_view_is_honoured()
    {
        using var device = on.Open();
        float[] values = Samples.Normal(1, 2 * 6 * 50);
        var whole = Samples.Variable(device, new Shape(2, 6, 50), values);
        var tape = new Tape();
        var y = StatsPool.Forward(tape, whole.Channels(9, 20));
        var want = EncoderReference.StatsPool(new Frames(2, 6, 50, Samples.ToDouble(values)).Channels(9, 20), 1e-7, PoolVariance.UnbiasedPlusEps);
        Close.Assert(Samples.Read(y), want.V, 1e-6, "y");
        y.GradForWrite(out _).CopyFrom(LayerCheck.Constant(80, 1f));
        GradientCheck.Backward(tape);
        float[] dx = Samples.Read(whole.Grad!);
        Assert.That(Enumerable.Range(0, dx.Length).Where(i => i % 50 is < 9 or >= 29).Select(i => dx[i]), Has.All.Zero);
    }

    [Test]
    public void Too_few_frames_are_refused()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(1, 1, 4), new float[4]);
        Assert.That(() => StatsPool.Forward(null, x), Throws.TypeOf<ShapeException>().With.Message.Contains("at least 2"));
        Assert.That(() => StatsPool.Forward(null, x, 1e-12f, PoolVariance.BiasedClamped), Throws.Nothing);
    }
}
