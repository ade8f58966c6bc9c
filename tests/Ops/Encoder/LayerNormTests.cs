using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class LayerNormTests(TestDevice on)
{
    // Around the 16 and the 32 lanes, around four rows a block, and several chunks of rows for the sums over columns.
    [TestCase(1, 1)]
    [TestCase(2, 3)]
    [TestCase(3, 31)]
    [TestCase(5, 32)]
    [TestCase(7, 33)]
    [TestCase(9, 67)]
    public void Gradients_match_differences(int rows, int width)
    {
        using var device = on.Open();
        LayerCheck.Run(
            device,
            [("x", new Shape(rows, width), Samples.Normal(1, rows * width))],
            [("gamma", new Shape(width), Samples.Normal(2, width)), ("beta", new Shape(width), Samples.Normal(3, width))],
            (tape, x, p) => LayerNorm.Forward(tape, x[0], p[0], p[1], 1e-2f),
            v => Reference(v[0], v[1], v[2], 1e-2));
    }

    // 1, 2, 3, 6 has mean 3 and variance 3.5.
    [Test]
    public void A_row_becomes_that_of_mean_0_and_variance_1()
    {
        using var device = on.Open(1);
        var p = LayerCheck.Parameters(device, ("gamma", new Shape(4), [1, 1, 2, 1]), ("beta", new Shape(4), [0, 0, 5, 0]));
        var y = LayerNorm.Forward(null, Samples.Constant(device, new Shape(2, 4), [1, 2, 3, 6, 7, 7, 7, 7]), p[0], p[1], 0.5f);
        Close.Assert(Samples.Read(y), [-1.0, -0.5, 5.0, 1.5, 0, 0, 5, 0], 1e-6, "y");
    }

    [Test]
    public void A_large_mean_costs_no_small_deviation()
    {
        using var device = on.Open(1);
        float[] x = [.. Enumerable.Range(0, 40).Select(i => 4096f + (i % 2 == 0 ? 0.5f : -0.5f))];
        var p = LayerCheck.Parameters(device, ("gamma", new Shape(40), LayerCheck.Constant(40, 1)), ("beta", new Shape(40), LayerCheck.Constant(40, 0)));
        Close.Assert(
            Samples.Read(LayerNorm.Forward(null, Samples.Constant(device, new Shape(1, 40), x), p[0], p[1], 1e-12f)),
            x.Select(v => v > 4096 ? 1.0 : -1.0).ToArray(), 1e-5, "y");
    }

    [Test]
    public void Channel_views_and_gradients_that_are_there_already_are_honoured()
    {
        const int rows = 5, width = 19;
        using var device = on.Open();
        var wide = Samples.Constant(device, new Shape(rows, width + 4), Samples.Normal(1, rows * (width + 4)));
        wide.RequiresGrad = true;
        var p = LayerCheck.Parameters(device, ("gamma", new Shape(width), Samples.Normal(2, width)), ("beta", new Shape(width), Samples.Normal(3, width)));
        var plain = Samples.Variable(device, new Shape(rows, width), [.. Enumerable.Range(0, rows).SelectMany(r => Samples.Read(wide).Skip((r * (width + 4)) + 3).Take(width))]);
        Tape tape = new(), other = new();
        var view = wide.Channels(3, width);
        float[] Gradient(Tape on, Tensor x)
        {
            x.GradForWrite(out _).CopyFrom(LayerCheck.Constant(rows * width, 1));
            var y = LayerNorm.Forward(on, x, p[0], p[1]);
            y.GradForWrite(out _).CopyFrom(Samples.Normal(4, rows * width));
            GradientCheck.Backward(on);
            return [.. Samples.Read(y), .. Samples.Read(x.Grad!)];
        }

        float[] want = Gradient(other, plain);
        Assert.That(Gradient(tape, view), Is.EqualTo(want));

        // What is normalised has no part along 1: the sum over a row is that of the ones that were there.
        Assert.That(want.Skip(rows * width).Sum(), Is.EqualTo(rows * width).Within(1e-3));
    }

    [Test]
    public void A_NaN_fills_its_row_only_and_other_parameters_are_refused()
    {
        using var device = on.Open(1);
        var p = LayerCheck.Parameters(device, ("gamma", new Shape(2), [1, 1]), ("beta", new Shape(2), [0, 0]));
        var y = LayerNorm.Forward(null, Samples.Constant(device, new Shape(2, 2), [float.NaN, 1f, 3f, 4f]), p[0], p[1]);
        Assert.That(Samples.Read(y).Select(float.IsNaN), Is.EqualTo((bool[])[true, true, false, false]));
        Assert.That(() => LayerNorm.Forward(null, device.Workspace.Rent(new Shape(2, 3)), p[0], p[1]), Throws.TypeOf<ShapeException>());
    }

    private static double[] Reference(double[] x, double[] gamma, double[] beta, double eps)
    {
        int width = gamma.Length;
        return [.. x.Chunk(width).SelectMany(row =>
        {
            double mean = row.Average(), deviation = Math.Sqrt(row.Average(v => (v - mean) * (v - mean)) + eps);
            return row.Select((v, i) => ((v - mean) / deviation * gamma[i]) + beta[i]);
        })];
    }
}
