using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class AttentiveStatsPoolTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "attentive_stats" } })]
    public void Matches_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = on.Open(2);
        var x = g.Input("x");
        int channels = x.Shape[1], hidden = g.Input("a_b").Shape[0];
        var tape = new Tape();
        var tx = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[2], channels), Layout.Swap(x));
        var p = LayerCheck.Parameters(
            device,
            ("a_w", new Shape(hidden, 3 * channels), g.Input("a_w").ToSingle()),
            ("a_b", new Shape(hidden), g.Input("a_b").ToSingle()),
            ("c_w", new Shape(channels, hidden), g.Input("c_w").ToSingle()),
            ("c_b", new Shape(channels), g.Input("c_b").ToSingle()),
            ("bn_g", new Shape(hidden), g.Input("bn_g").ToSingle()),
            ("bn_b", new Shape(hidden), g.Input("bn_b").ToSingle()));
        var y = AttentiveStatsPool.Forward(tape, tx, Parameters(device, p, norm: true), g.Flag("training"), (float)g.Number("eps"));
        g.AssertOutput("y", Samples.Read(y));
        y.GradForWrite(out _).CopyFrom(g.Input("grad_y").ToSingle());
        GradientCheck.Backward(tape);
        g.AssertOutput("grad_x", Layout.Swap(Samples.Read(tx.Grad!), tx.Shape));
        foreach (var parameter in p)
        {
            g.AssertOutput("grad_" + parameter.Name, Samples.Read(parameter.Value.Grad!));
        }
    }

    [Test]
    public void Gradients_match_differences(
        [Values] bool norm, [Values] PoolVariance context, [Values("1 2 1 1", "2 5 31 3", "2 4 32 2", "3 6 33 5", "1 3 70 2")] string size)
    {
        int[] s = [.. size.Split(' ').Select(int.Parse)];
        var (n, t, c, h) = (s[0], s[1], s[2], s[3]);
        const float eps = 1e-4f;
        using var device = on.Open(2);
        LayerCheck.Run(
            device,
            [("x", new Shape(n, t, c), Samples.Normal(1, n * t * c))],
            [
                ("a", new Shape(h, 3 * c), Samples.Normal(2, h * 3 * c, 0.3f)),
                ("a bias", new Shape(h), Samples.Normal(3, h)),
                ("b", new Shape(c, h), Samples.Normal(4, c * h)),
                ("b bias", new Shape(c), Samples.Normal(5, c)),
                .. norm ? [("gamma", new Shape(h), Samples.Normal(6, h)), ("beta", new Shape(h), Samples.Normal(7, h))] : Array.Empty<(string, Shape, float[])>(),
            ],
            (tape, x, p) => AttentiveStatsPool.Forward(tape, x[0], Parameters(device, p, norm), training: true, eps, context),
            v => EncoderReference.AttentiveStatsPool(
                new Frames(n, t, c, v[0]), v[1], v[2], v[3], v[4], norm ? v[5] : null, norm ? v[6] : null, eps, context).V,
            1e-3); // batch norm over a handful of rows amplifies the rounding of the scores
    }

    [Test]
    public void A_constant_channel_has_a_finite_gradient()
    {
        const int n = 2, t = 4, c = 40, h = 3;
        using var device = on.Open(2);
        var x = Samples.Variable(device, new Shape(n, t, c), LayerCheck.Constant(n * t * c, 2f));
        var p = LayerCheck.Parameters(
            device,
            ("a", new Shape(h, 3 * c), Samples.Normal(2, h * 3 * c)),
            ("a bias", new Shape(h), Samples.Normal(3, h)),
            ("b", new Shape(c, h), Samples.Normal(4, c * h)),
            ("b bias", new Shape(c), Samples.Normal(5, c)));
        var tape = new Tape();
        var y = AttentiveStatsPool.Forward(tape, x, Parameters(device, p, norm: false), training: true);
        Close.Assert(Samples.Read(y), [.. Enumerable.Range(0, n * 2 * c).Select(i => i % (2 * c) < c ? 2.0 : 1e-6)], 1e-6, "y");
        y.GradForWrite(out _).CopyFrom(LayerCheck.Constant(y.Count, 1f));
        GradientCheck.Backward(tape);
        Assert.That(Samples.Read(x.Grad!).Select(float.IsFinite), Has.All.True);
        Assert.That(Samples.Read(x.Grad!).Sum(), Is.EqualTo(n * c).Within(1e-3), "only the weighted mean has a slope");
    }

    [Test]
    public void Misfits_are_refused()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(1, 2, 3), new float[6]);
        var p = LayerCheck.Parameters(
            device,
            ("a", new Shape(2, 8), new float[16]), ("a bias", new Shape(2), new float[2]), ("b", new Shape(3, 2), new float[6]), ("b bias", new Shape(3), new float[3]));
        Assert.That(
            () => AttentiveStatsPool.Forward(null, x, Parameters(device, p, norm: false), false),
            Throws.TypeOf<ShapeException>().With.Message.Contains("[H, 9]"));
    }

    private static AttentiveStatsParameters Parameters(Device device, Parameter[] p, bool norm)
    {
        int hidden = p[1].Shape.Count;
        return norm
            ? new(p[0], p[1], p[2], p[3], p[4], p[5], LayerCheck.Buffer(device, hidden, 0), LayerCheck.Buffer(device, hidden, 1))
            : new(p[0], p[1], p[2], p[3]);
    }
}
