using NUnit.Framework;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class WeightedSumTests(TestDevice on)
{
    [Test]
    public void Losses_add_up_and_share_the_gradient()
    {
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("a", new Shape(1), [1.5f]), ("b", new Shape(1), [-0.7f]), ("c", new Shape(1), [0.3f])],
            (tape, v) => WeightedSum.Forward(tape, [v[0], v[1], v[2], v[1]], [0.5f, 2f, -1f, 0.25f]),
            v => [(0.5 * v[0][0]) + (2.25 * v[1][0]) - v[2][0]]);
    }

    [Test]
    public void Misfits_are_refused()
    {
        using var device = on.Open(1);
        var (one, two) = (device.Workspace.Rent(new Shape(1)), device.Workspace.Rent(new Shape(2)));
        Assert.That(() => WeightedSum.Forward(null, [one, two], [1, 1]), Throws.TypeOf<ShapeException>());
        Assert.That(() => WeightedSum.Forward(null, [one], [1, 1]), Throws.TypeOf<ShapeException>());
        Assert.That(() => WeightedSum.Forward(null, [], []), Throws.TypeOf<ShapeException>());
    }
}
