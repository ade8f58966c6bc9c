using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class MixRowsTests(TestDevice on)
{
    [TestCase(1, 1)]
    [TestCase(2, 32)]
    [TestCase(7, 33)]
    [TestCase(33, 131)]
    public void Every_row_is_mixed_with_its_partner(int rows, int width)
    {
        using var device = on.Open();
        int[] partners = [.. Enumerable.Range(0, rows).Select(i => (i + 3) % rows)];
        Check(device, partners, rows, width);
    }

    [Test]
    public void A_row_may_be_the_partner_of_several_or_of_itself()
    {
        using var device = on.Open();
        Check(device, [2, 2, 2, 0, 4], 5, 9);
    }

    [Test]
    public void Gradients_of_two_uses_add_up()
    {
        using var device = on.Open();
        int[] partners = [1, 0, 1];
        float[] weights = [0.6f, 0.9f, 0.5f];
        GradientCheck.Run(
            device,
            [("x", new Shape(3, 5), Samples.Normal(2, 15))],
            (tape, v) => Add.Forward(tape, v[0], MixRows.Forward(tape, v[0], Mix(device, partners, weights))),
            v => [.. Enumerable.Range(0, 15).Select(i => v[0][i] + Mixed(v[0], partners, weights, 5, i))]);
    }

    [Test]
    public void Misfits_are_refused()
    {
        using var device = on.Open(1);
        var x = device.Workspace.Rent(new Shape(3, 4));
        Assert.That(() => MixRows.Forward(null, x, Mix(device, [0, 1], [1, 1])), Throws.TypeOf<ShapeException>());
        Assert.That(() => MixRows.Forward(null, x, Mix(device, [0, 1, 2], [1, 1])), Throws.TypeOf<ShapeException>());
        if (device is CpuDevice)
        {
            Assert.That(() => MixRows.Forward(null, x, Mix(device, [0, 3, 2], [1, 1, 1])), Throws.TypeOf<ShapeException>().With.Message.Contains("row 1 is 3"));
        }
    }

    private static void Check(Device device, int[] partners, int rows, int width)
    {
        float[] weights = [.. Enumerable.Range(0, rows).Select(i => 0.5f + (0.5f * i / rows))];
        GradientCheck.Run(
            device,
            [("x", new Shape(rows, width), Samples.Normal(1, rows * width))],
            (tape, v) => MixRows.Forward(tape, v[0], Mix(device, partners, weights)),
            v => [.. Enumerable.Range(0, rows * width).Select(i => Mixed(v[0], partners, weights, width, i))]);
    }

    private static double Mixed(double[] x, int[] partners, float[] weights, int width, int i)
    {
        int row = i / width;
        return (weights[row] * x[i]) + ((1 - (double)weights[row]) * x[(partners[row] * width) + (i % width)]);
    }

    private static RowMix Mix(Device device, int[] partners, float[] weights)
    {
        var p = device.Workspace.Rent(new Shape(partners.Length), ElementType.Int32);
        p.CopyIntsFrom(partners);
        var w = device.Workspace.Rent(new Shape(weights.Length));
        w.CopyFrom(weights);
        return new RowMix(p, w);
    }
}
