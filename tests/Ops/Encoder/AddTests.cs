using NUnit.Framework;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class AddTests(TestDevice on)
{
    [TestCase(1, 1)]
    [TestCase(5, 31)]
    [TestCase(3, 33)]
    public void Sums_and_passes_gradients_to_both(int rows, int width)
    {
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("a", new Shape(rows, width), Samples.Normal(1, rows * width)), ("b", new Shape(rows, width), Samples.Normal(2, rows * width))],
            (tape, v) => Add.Forward(tape, v[0], v[1]),
            v => [.. v[0].Zip(v[1], (a, b) => a + b)]);
    }

    [Test]
    public void Twice_the_same_input_doubles_its_gradient()
    {
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("a", new Shape(4, 9), Samples.Normal(1, 36))],
            (tape, v) => Add.Forward(tape, v[0], v[0]),
            v => [.. v[0].Select(a => 2 * a)]);
    }

    // The sum replaces a channel view, as in a Res2 layer.
    [Test]
    public void In_place_on_a_view_shares_the_gradient()
    {
        using var device = on.Open();
        const int rows = 6, half = 5;
        GradientCheck.Run(
            device,
            [("x", new Shape(rows, 2 * half), Samples.Normal(1, rows * 2 * half))],
            (tape, v) =>
            {
                var x = Add.Copy(tape, v[0], device.Workspace.Rent(v[0].Shape));
                var left = x.Channels(0, half);
                Add.Forward(tape, left, x.Channels(half, half), output: left);
                return Activation.Forward(tape, x, ActivationKind.Tanh);
            },
            v => [.. v[0].Select((value, i) => Math.Tanh(i % (2 * half) < half ? value + v[0][i + half] : value))]);
    }

    [Test]
    public void Misfits_are_refused()
    {
        using var device = on.Open(1);
        var (a, b) = (device.Workspace.Rent(new Shape(2, 3)), device.Workspace.Rent(new Shape(3, 2)));
        Assert.That(() => Add.Forward(null, a, b), Throws.TypeOf<ShapeException>());
        Assert.That(() => Add.Copy(null, a, b), Throws.TypeOf<ShapeException>());
    }
}
