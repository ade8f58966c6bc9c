using NUnit.Framework;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class SelfAttentivePoolTests(TestDevice on)
{
    // N H W C D: one element, one frame, around 16 channels and 32, more frames than a warp.
    [TestCase("1 1 1 1 1")]
    [TestCase("2 3 1 5 4")]
    [TestCase("2 2 7 15 17")]
    [TestCase("1 5 33 16 16")]
    [TestCase("1 1 34 9 33")]
    public void Gradients_match_differences(string sizes)
    {
        int[] s = [.. sizes.Split(' ').Select(int.Parse)];
        var (n, h, t, c, d) = (s[0], s[1], s[2], s[3], s[4]);
        using var device = on.Open();
        LayerCheck.Run(
            device,
            [("x", new Shape(n, h, t, c), Samples.Normal(1, n * h * t * c))],
            [
                ("weight", new Shape(d, c), Samples.Normal(2, d * c, 0.5f)),
                ("bias", new Shape(d), Samples.Normal(3, d)),
                ("attention", new Shape(d, 1), Samples.Normal(4, d)),
            ],
            (tape, x, p) => SelfAttentivePool.Forward(tape, x[0], p[0], p[1], p[2]),
            v => MapReference.SelfAttentivePool(new Maps(n, h, t, c, v[0]), v[1], v[2], v[3]));
    }

    // Without attention every frame weighs the same; with overwhelming attention one frame is everything.
    [TestCase(0f)]
    [TestCase(1e4f)]
    public void Extreme_attention_gives_the_mean_or_one_frame(float attention)
    {
        const int n = 2, h = 3, t = 37, c = 4, loud = 5;
        using var device = on.Open();
        float[] x = Samples.Normal(1, n * h * t * c, 0.1f);
        for (int i = 0; i < x.Length; i++)
        {
            x[i] += i / c % t == loud ? 1f : 0f;
        }

        float[] identity = [.. Enumerable.Range(0, c * c).Select(i => i % (c + 1) == 0 ? 1f : 0f)];
        var p = LayerCheck.Parameters(
            device, ("weight", new Shape(c, c), identity), ("bias", new Shape(c), new float[c]), ("attention", new Shape(c, 1), LayerCheck.Constant(c, attention)));
        float[] y = Samples.Read(SelfAttentivePool.Forward(null, Samples.Constant(device, new Shape(n, h, t, c), x), p[0], p[1], p[2]));
        var want = new double[n * c];
        for (int i = 0; i < x.Length; i++)
        {
            bool counts = attention == 0f || i / c % t == loud;
            want[(i / c / t / h * c) + (i % c)] += counts ? x[i] / (attention == 0f ? h * t : h) : 0.0;
        }

        Close.Assert(y, want, 1e-6, "pooled");
    }

    [Test]
    public void Misfits_are_refused()
    {
        using var device = on.Open(1);
        var p = LayerCheck.Parameters(device, ("w", new Shape(2, 3), new float[6]), ("b", new Shape(2), new float[2]), ("a", new Shape(3, 1), new float[3]));
        var x = Samples.Constant(device, new Shape(1, 2, 4, 3), new float[24]);
        Assert.That(() => SelfAttentivePool.Forward(null, x, p[0], p[1], p[2]), Throws.TypeOf<ShapeException>().With.Message.Contains("[D, 3] and [D, 1]"));
        Assert.That(
            () => SelfAttentivePool.Forward(null, device.Workspace.Rent(new Shape(2, 4, 3)), p[0], p[1], p[2]),
            Throws.TypeOf<ShapeException>().With.Message.Contains("[N, H, W, C]"));
    }
}
