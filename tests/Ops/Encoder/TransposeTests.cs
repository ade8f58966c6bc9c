using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class TransposeTests(TestDevice on)
{
    [TestCase(1, 1, 1)]
    [TestCase(3, 31, 33)]
    [TestCase(2, 40, 65)]
    [TestCase(2, 1, 16)]
    public void Elements_change_places_both_ways(int n, int a, int b)
    {
        using var device = on.Open();
        float[] values = Samples.Normal(1, n * a * b), dy = Samples.Normal(2, n * a * b);
        var x = Samples.Variable(device, new Shape(n, a, b), values);
        var tape = new Tape();
        var (first, second) = (Transpose.Forward(tape, x), Transpose.Forward(tape, x));
        Assert.That(first.Shape, Is.EqualTo(new Shape(n, b, a)));
        Assert.That(Samples.Read(first), Is.EqualTo(Exchanged(values, n, a, b)));

        // Two uses: the first gradient is written, the second added.
        first.GradForWrite(out _).CopyFrom(dy);
        second.GradForWrite(out _).CopyFrom(dy);
        GradientCheck.Backward(tape);
        Assert.That(Samples.Read(x.Grad!), Is.EqualTo(Exchanged(dy, n, b, a).Select(v => 2 * v)));
    }

    [Test]
    public void A_channel_view_is_read_by_its_rows()
    {
        using var device = on.Open();
        float[] values = Samples.Normal(1, 2 * 5 * 7);
        var view = Samples.Variable(device, new Shape(2, 5, 12), new float[2 * 5 * 12]).Channels(3, 7);
        view.CopyFrom(values);
        Assert.That(Samples.Read(Transpose.Forward(null, view)), Is.EqualTo(Exchanged(values, 2, 5, 7)));
    }

    [Test]
    public void Other_shapes_are_refused()
    {
        using var device = on.Open(1);
        Assert.That(() => Transpose.Forward(null, device.Workspace.Rent(new Shape(2, 3))), Throws.TypeOf<ShapeException>().With.Message.Contains("[2, 3]"));
    }

    private static float[] Exchanged(float[] values, int n, int a, int b)
    {
        var result = new float[values.Length];
        for (int i = 0; i < values.Length; i++)
        {
            int item = i / a / b, row = i / b % a, column = i % b;
            result[(((item * b) + column) * a) + row] = values[i];
        }

        return result;
    }
}
