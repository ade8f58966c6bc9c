using NUnit.Framework;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class ActivationTests(TestDevice on)
{
    [Test]
    public void Values_and_gradients_match_f64([Values] ActivationKind kind, [Values(1, 31, 32, 33)] int width, [Values] bool inPlace)
    {
        if (inPlace && kind == ActivationKind.Gelu)
        {
            Assert.Pass("GELU refuses to replace its input; see below");
        }

        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("x", new Shape(3, width), Samples.Normal(1, 3 * width, 2f))],
            (tape, v) =>
            {
                // In place the variable itself becomes the result, so give the op a sum as its producer.
                var zero = Samples.Constant(device, v[0].Shape, new float[v[0].Count]);
                var x = Add.Forward(tape, v[0], zero);
                return Activation.Forward(tape, x, kind, 0.1f, inPlace ? x : null);
            },
            v => [.. v[0].Select(x => Reference(kind, x))]);
    }

    [Test]
    public void Gelu_is_exact_over_its_range()
    {
        using var device = on.Open(1);
        float[] x = [.. Enumerable.Range(-800, 1601).Select(i => i / 100f)];
        var y = Activation.Forward(null, Samples.Constant(device, new Shape(x.Length), x), ActivationKind.Gelu);
        Close.Assert(Samples.Read(y), [.. x.Select(v => Reference(ActivationKind.Gelu, v))], 1e-6, "gelu");
    }

    [Test]
    public void A_NaN_stays_and_a_channel_view_is_honoured([Values] ActivationKind kind)
    {
        using var device = on.Open(1);
        var whole = Samples.Constant(device, new Shape(2, 40), LayerCheck.Constant(80, float.NaN));
        var target = Samples.Constant(device, new Shape(2, 40), new float[80]);
        Activation.Forward(null, whole.Channels(2, 20), kind, output: target.Channels(1, 20));
        float[] got = Samples.Read(target);
        for (int i = 0; i < got.Length; i++)
        {
            Assert.That(float.IsNaN(got[i]), Is.EqualTo(i % 40 is >= 1 and < 21));
        }
    }

    [Test]
    public void Misfits_are_refused()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(2, 2), new float[4]);
        Assert.That(() => Activation.Forward(null, x, ActivationKind.Gelu, output: x), Throws.TypeOf<InvalidOptionException>());
        var wide = Samples.Constant(device, new Shape(2, 3), new float[6]);
        Assert.That(() => Activation.Forward(null, x, ActivationKind.Relu, output: wide), Throws.TypeOf<ShapeException>());
    }

    private static double Reference(ActivationKind kind, double x) => kind switch
    {
        ActivationKind.Relu => x > 0 ? x : 0,
        ActivationKind.LeakyRelu => x > 0 ? x : 0.1 * x,
        ActivationKind.Tanh => Math.Tanh(x),
        ActivationKind.Sigmoid => 1 / (1 + Math.Exp(-x)),
        _ => x * Normal(x),
    };

    // Φ by its Taylor series around 0, exact to f64 for |x| <= 8.
    private static double Normal(double x)
    {
        double term = x, sum = x;
        for (int k = 1; k < 400; k++)
        {
            term *= x * x / ((2 * k) + 1);
            sum += term;
        }

        return 0.5 + (sum * Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI));
    }
}
