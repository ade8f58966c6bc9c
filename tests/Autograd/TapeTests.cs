using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Autograd;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class TapeTests(TestDevice on)
{
    [Test]
    public void A_backward_pass_starts_from_a_given_gradient()
    {
        using var device = on.Open();
        var x = device.AllocatePersistent(new Shape(1, 3));
        x.CopyFrom([-1f, 2f, 3f]);
        var gradient = device.AllocatePersistent(new Shape(1, 3));
        var tape = new Tape();
        for (int step = 0; step < 2; step++)
        {
            // The second step must not add to the first one's gradient, nor write to its memory.
            device.Workspace.Reset();
            tape.Clear();
            gradient.CopyFrom([5f, 7f, 11f]);
            x.BeginGradient();
            tape.Backward(Activation.Forward(tape, x, ActivationKind.Relu), gradient);
            Assert.That(Samples.Read(x.Grad!), Is.EqualTo(new[] { 0f, 7f, 11f }));
        }
    }

    [Test]
    public void A_gradient_of_another_shape_and_a_loss_of_several_elements_are_refused()
    {
        using var device = on.Open();
        var x = device.AllocatePersistent(new Shape(1, 3));
        x.BeginGradient();
        var tape = new Tape();
        var y = Activation.Forward(tape, x, ActivationKind.Relu);
        Assert.That(() => tape.Backward(y, device.AllocatePersistent(new Shape(3, 1))), Throws.TypeOf<ShapeException>());
        Assert.That(() => tape.Backward(y), Throws.TypeOf<ShapeException>());
    }
}
