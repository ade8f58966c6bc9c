using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>What a norm's backward step leaves for the bias of the map ahead of it.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class BatchNormRunSumsTests(TestDevice on)
{
    // The norm sums what it writes for the bias of the map; whoever writes to that gradient afterwards makes its sums worthless.
    [Test]
    public void A_gradient_that_others_write_to_is_summed_whole([Values] bool ahead, [Values("whole", "view", "in place")] string of)
    {
        using var device = on.Open();
        var tape = new Tape();
        var x = Samples.Constant(device, new Shape(70, 4), Samples.Normal(1, 280));
        var (w, b) = (Samples.Variable(device, new Shape(5, 4), Samples.Normal(2, 20)), Samples.Variable(device, new Shape(5), Samples.Normal(3, 5)));
        var (mean, variance) = (LayerCheck.Buffer(device, 5, 0), LayerCheck.Buffer(device, 5, 1));
        var epilogue = new BatchNormEpilogue();
        BatchNorm.Prepare(epilogue, tape, null, null, mean, variance, training: true, before: ActivationKind.Relu);
        var product = Linear.Forward(tape, x, w, b, norm: epilogue);
        Assume.That(ahead || of != "in place", "skipped, optional: in place the other op is ahead of the norm");
        var other = ahead ? Other() : null;
        var y = BatchNorm.Forward(tape, product, null, null, mean, variance, training: true, before: ActivationKind.Relu, epilogue: epilogue);
        other ??= Other();
        y.GradForWrite(out _).CopyFrom(Samples.Normal(4, y.Count));
        if (other != product)
        {
            other.GradForWrite(out _).CopyFrom(Samples.Normal(5, other.Count));
        }

        GradientCheck.Backward(tape);
        AssertBiasGradient(product, b);

        Tensor Other() =>
            Activation.Forward(tape, of == "view" ? product.Channels(1, 3) : product, ActivationKind.Tanh, output: of == "in place" ? product : null);
    }

    /// <summary>The gradient of a bias is the sum over rows of the gradient of what the map made.</summary>
    internal static void AssertBiasGradient(Tensor product, Tensor bias)
    {
        float[] gradient = Samples.Read(product.Grad!), got = Samples.Read(bias.Grad!);
        for (int c = 0; c < got.Length; c++)
        {
            double[] column = [.. gradient.Where((_, i) => i % got.Length == c).Select(v => (double)v)];
            Assert.That(got[c], Is.EqualTo(column.Sum()).Within(2 * Tolerance.Epsilon * column.Sum(Math.Abs)), $"gradient of bias {c}");
        }
    }
}
