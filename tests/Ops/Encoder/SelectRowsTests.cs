using NUnit.Framework;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class SelectRowsTests(TestDevice on)
{
    [TestCase(1, 1)]
    [TestCase(6, 31)]
    [TestCase(33, 130)]
    public void Rows_come_from_the_bank_or_stay(int rows, int width)
    {
        using var device = on.Open();
        const int stored = 5;
        float[] bank = Samples.Normal(1, stored * width), own = Samples.Normal(2, rows * width);
        int[] index = [.. Enumerable.Range(0, rows).Select(i => i % 3 == 1 ? (i * 7) % stored : -1)];
        GradientCheck.Run(
            device,
            [("own", new Shape(rows, width), own)],
            (tape, v) => SelectRows.Forward(tape, Upload(device, new Shape(stored, width), bank), Upload(device, index), v[0]),
            v => [.. Enumerable.Range(0, rows * width).Select(i =>
                index[i / width] < 0 ? v[0][i] : bank[(index[i / width] * width) + (i % width)])]);
    }

    [Test]
    public void Gradients_of_two_uses_add_up()
    {
        using var device = on.Open();
        const int rows = 4, width = 9;
        float[] bank = Samples.Normal(1, 2 * width);
        int[] index = [-1, 0, 1, -1];
        GradientCheck.Run(
            device,
            [("own", new Shape(rows, width), Samples.Normal(2, rows * width))],
            (tape, v) => Add.Forward(tape, v[0], SelectRows.Forward(tape, Upload(device, new Shape(2, width), bank), Upload(device, index), v[0])),
            v => [.. Enumerable.Range(0, rows * width).Select(i =>
                v[0][i] + (index[i / width] < 0 ? v[0][i] : bank[(index[i / width] * width) + (i % width)]))]);
    }

    [Test]
    public void Another_order_of_a_batch()
    {
        using var device = on.Open();
        float[] features = Samples.Normal(3, 4 * 5 * 7);
        int[] order = [2, 0, 3, 1];
        float[] shuffled = Samples.Read(SelectRows.Forward(null, Upload(device, new Shape(4, 5, 7), features), Upload(device, order)));
        Assert.That(shuffled, Is.EqualTo(order.SelectMany(row => features.AsSpan(row * 35, 35).ToArray())));
    }

    [Test]
    public void Misfits_are_refused()
    {
        using var device = on.Open(1);
        var bank = device.Workspace.Rent(new Shape(2, 3));
        var index = device.Workspace.Rent(new Shape(4), ElementType.Int32);
        Assert.That(() => SelectRows.Forward(null, bank, index, device.Workspace.Rent(new Shape(3, 3))), Throws.TypeOf<ShapeException>());
        Assert.That(() => SelectRows.Forward(null, bank, device.Workspace.Rent(new Shape(4))), Throws.TypeOf<ShapeException>());
    }

    private static Tensor Upload(Spk.Engine.Devices.Device device, Shape shape, float[] values)
    {
        var tensor = device.Workspace.Rent(shape);
        tensor.CopyFrom(values);
        return tensor;
    }

    private static Tensor Upload(Spk.Engine.Devices.Device device, int[] values)
    {
        var tensor = device.Workspace.Rent(new Shape(values.Length), ElementType.Int32);
        tensor.CopyIntsFrom(values);
        return tensor;
    }
}
