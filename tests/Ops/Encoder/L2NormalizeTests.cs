using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class L2NormalizeTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "l2_normalize" } })]
    public void Matches_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = on.Open();
        var x = g.Input("x");
        var tape = new Tape();
        var tx = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[1]), x.ToSingle());
        var y = L2Normalize.Forward(tape, tx, (float)g.Number("eps"));
        g.AssertOutput("y", Samples.Read(y));
        y.GradForWrite(out _).CopyFrom(g.Input("grad_y").ToSingle());
        GradientCheck.Backward(tape);
        g.AssertOutput("grad_x", Samples.Read(tx.Grad!));
    }

    [TestCase(1, 1)]
    [TestCase(3, 31)]
    [TestCase(17, 32)]
    [TestCase(18, 33)]
    public void Gradients_match_differences(int rows, int width)
    {
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("x", new Shape(rows, width), Samples.Normal(1, rows * width))],
            (tape, v) => L2Normalize.Forward(tape, v[0]),
            v => [.. v[0].Select((value, i) => value / Math.Sqrt(v[0].Skip(i / width * width).Take(width).Sum(u => u * u)))]);
    }

    [Test]
    public void Below_the_floor_the_gradient_is_divided_by_it()
    {
        using var device = on.Open(1);
        var x = Samples.Variable(device, new Shape(2, 2), [0f, 0f, 3f, 4f]);
        var tape = new Tape();
        var y = L2Normalize.Forward(tape, x, 0.5f);
        Close.Assert(Samples.Read(y), [0.0, 0.0, 0.6, 0.8], 1e-7, "y");
        y.GradForWrite(out _).CopyFrom([1f, -2f, 0f, 0f]);
        GradientCheck.Backward(tape);
        Close.Assert(Samples.Read(x.Grad!), [2.0, -4.0, 0.0, 0.0], 1e-6, "dx");
    }

    [Test]
    public void A_NaN_fills_its_row_only()
    {
        using var device = on.Open(1);
        var y = L2Normalize.Forward(null, Samples.Constant(device, new Shape(2, 2), [float.NaN, 1f, 3f, 4f]));
        Assert.That(Samples.Read(y).Select(float.IsNaN), Is.EqualTo((bool[])[true, true, false, false]));
        Assert.That(() => L2Normalize.Forward(null, device.Workspace.Rent(new Shape(3))), Throws.TypeOf<ShapeException>());
    }
}
