using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Optim;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Optim;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class GradientNormTests(TestDevice on)
{
    [Test]
    public void Equals_the_root_of_the_squares([Values(0, 1, 15, 33, 16384, 50001)] int count)
    {
        using var device = on.Open();
        float[] g = Samples.Normal(1, count);
        double want = Math.Sqrt(g.Sum(v => (double)v * v));
        Assert.That(GradientNorm.Compute(Samples.Constant(device, new Shape(count), g)), Is.EqualTo(want).Within(1e-12 * want));
    }

    [Test]
    public void Thread_count_does_not_change_bits()
    {
        using var one = on.Open(1);
        using var three = on.Open(3);
        float[] g = Samples.Normal(1, 200_001);
        Assert.That(
            GradientNorm.Compute(Samples.Constant(three, new Shape(g.Length), g)),
            Is.EqualTo(GradientNorm.Compute(Samples.Constant(one, new Shape(g.Length), g))));
    }

    [Test]
    public void Clip_scales_to_the_limit_and_only_down()
    {
        using var device = on.Open(1);
        var g = Samples.Constant(device, new Shape(2), [3, 4]);
        Assert.That(GradientNorm.Clip(g, 10), Is.EqualTo(5));
        Assert.That(Samples.Read(g), Is.EqualTo(new[] { 3f, 4f }));
        Assert.That(GradientNorm.Clip(g, 1), Is.EqualTo(5));
        Close.Assert(Samples.Read(g), new[] { 0.6, 0.8 }, 1e-6, "clipped");
    }

    [TestCase(float.NaN)]
    [TestCase(float.PositiveInfinity)]
    public void Non_finite_gradients_are_reported_and_left_alone(float bad)
    {
        using var device = on.Open(1);
        float[] values = [1, 2, bad, 4];
        var g = Samples.Constant(device, new Shape(4), values);
        Assert.That(double.IsFinite(GradientNorm.Clip(g, 1)), Is.False);
        Assert.That(Samples.Read(g), Is.EqualTo(values));
    }

    [Test]
    public void Each_parameter_is_clipped_by_its_own_norm()
    {
        using var device = on.Open(1);
        var set = new ParameterSet(device);
        var (a, b) = (set.Add("a", new Shape(2), Initializer.Constant(0)), set.Add("b", new Shape(1, 2), Initializer.Constant(0)));
        set.Allocate(1);
        a.Value.Grad!.CopyFrom([3, 4]);
        b.Value.Grad!.CopyFrom([0.3f, 0.4f]);
        var norms = new double[2];
        GradientNorm.ComputeEach(set, norms);
        Close.Assert(norms, new[] { 5, 0.5 }, 1e-7, "norms");
        GradientNorm.ClipEach(set, norms, 1);
        Close.Assert(Samples.Read(a.Value.Grad!), new[] { 0.6, 0.8 }, 1e-6, "a");
        Close.Assert(Samples.Read(b.Value.Grad!), new[] { 0.3, 0.4 }, 1e-6, "b");
        Assert.That(() => GradientNorm.ComputeEach(set, new double[3]), Throws.TypeOf<ShapeException>());
        Assert.That(() => GradientNorm.ClipEach(set, new double[1], 1), Throws.TypeOf<ShapeException>());
        Assert.That(() => GradientNorm.ClipEach(set, norms, 0), Throws.TypeOf<InvalidOptionException>());
    }
}
