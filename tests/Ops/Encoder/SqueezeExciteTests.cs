using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class SqueezeExciteTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "se_block" } })]
    public void Matches_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = on.Open(2);
        var x = g.Input("x");
        int channels = x.Shape[1], hidden = g.Input("b1").Shape[0];
        var tape = new Tape();
        var tx = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[2], channels), Layout.Swap(x));
        var p = LayerCheck.Parameters(
            device,
            ("w1", new Shape(hidden, channels), g.Input("w1").ToSingle()),
            ("b1", new Shape(hidden), g.Input("b1").ToSingle()),
            ("w2", new Shape(channels, hidden), g.Input("w2").ToSingle()),
            ("b2", new Shape(channels), g.Input("b2").ToSingle()));
        var y = SqueezeExcite.Forward(tape, tx, p[0], p[1], p[2], p[3]);
        g.AssertOutput("y", Layout.Swap(Samples.Read(y), y.Shape));
        y.GradForWrite(out _).CopyFrom(Layout.Swap(g.Input("grad_y")));
        GradientCheck.Backward(tape);
        g.AssertOutput("grad_x", Layout.Swap(Samples.Read(tx.Grad!), tx.Shape));
        foreach (var parameter in p)
        {
            g.AssertOutput("grad_" + parameter.Name, Samples.Read(parameter.Value.Grad!));
        }
    }

    [Test]
    public void Gradients_match_differences([Values] bool residual, [Values("1 1 1 1", "2 5 31 3", "3 33 32 4", "2 36 33 5")] string size)
    {
        int[] s = [.. size.Split(' ').Select(int.Parse)];
        var (n, t, c, h) = (s[0], s[1], s[2], s[3]);
        using var device = on.Open(2);
        LayerCheck.Run(
            device,
            [("x", new Shape(n, t, c), Samples.Normal(1, n * t * c)), ("r", new Shape(n, t, c), Samples.Normal(2, n * t * c))],
            [
                ("w1", new Shape(h, c), Samples.Normal(3, h * c)),
                ("b1", new Shape(h), Samples.Normal(4, h)),
                ("w2", new Shape(c, h), Samples.Normal(5, c * h)),
                ("b2", new Shape(c), Samples.Normal(6, c)),
            ],
            (tape, x, p) => residual
                ? SqueezeExcite.Forward(tape, x[0], p[0], p[1], p[2], p[3], x[1])
                : Add.Forward(tape, SqueezeExcite.Forward(tape, x[0], p[0], p[1], p[2], p[3]), x[1]),
            v => (EncoderReference.SqueezeExcite(new Frames(n, t, c, v[0]), v[2], v[3], v[4], v[5]) + new Frames(n, t, c, v[1])).V);
    }

    // Input, residual and output side by side in wider tensors, as in ECAPA.
    [Test]
    public void Channel_views_give_the_same_bits()
    {
        const int n = 2, t = 35, c = 20, h = 4;
        using var device = on.Open(2);
        var p = LayerCheck.Parameters(
            device,
            ("w1", new Shape(h, c), Samples.Normal(3, h * c)),
            ("b1", new Shape(h), Samples.Normal(4, h)),
            ("w2", new Shape(c, h), Samples.Normal(5, c * h)),
            ("b2", new Shape(c), Samples.Normal(6, c)));
        float[] values = Samples.Normal(1, n * t * 2 * c), dy = Samples.Normal(2, n * t * c);
        var frames = new Frames(n, t, 2 * c, Samples.ToDouble(values));
        var want = Run(Narrow(0), Narrow(c), null);
        var whole = Samples.Variable(device, new Shape(n, t, 2 * c), values);
        var target = Samples.Variable(device, new Shape(n, t, 2 * c), values);
        var got = Run(whole.Channels(0, c), whole.Channels(c, c), target.Channels(c, c));
        Assert.That(got, Is.EqualTo(want));

        Tensor Narrow(int from) => Samples.Variable(device, new Shape(n, t, c), [.. frames.Channels(from, c).V.Select(v => (float)v)]);

        float[] Run(Tensor x, Tensor residual, Tensor? output)
        {
            var tape = new Tape();
            var y = SqueezeExcite.Forward(tape, x, p[0], p[1], p[2], p[3], residual, output);
            float[] result = Samples.Read(y);
            y.GradForWrite(out _).CopyFrom(dy);
            GradientCheck.Backward(tape);
            return [.. result, .. Samples.Read(x.Grad!), .. Samples.Read(residual.Grad!)];
        }
    }

    [Test]
    public void Misfits_are_refused()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(1, 2, 3), new float[6]);
        var p = LayerCheck.Parameters(device, ("w", new Shape(2, 3), new float[6]), ("b", new Shape(2), new float[2]), ("c", new Shape(3), new float[3]));
        Assert.That(() => SqueezeExcite.Forward(null, x, p[0], p[1], p[0], p[2]), Throws.TypeOf<ShapeException>().With.Message.Contains("[3, B]"));
    }
}
