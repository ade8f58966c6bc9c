using NUnit.Framework;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class PerturbTests(TestDevice on)
{
    [Test]
    public void Rows_move_by_their_radius_whatever_the_length_of_the_direction(
        [Values(1, 5, 33)] int rows, [Values(1, 15, 16, 33, 100)] int width, [Values(1f, 1e-25f, 1e25f)] float length, [Values] bool radius)
    {
        float[] x = Samples.Normal(1, rows * width), directions = Samples.Normal(2, rows * width, length), radii = [.. Enumerable.Range(1, rows).Select(i => i / 4f)];
        using var device = on.Open();
        var shape = new Shape(rows, width);
        var y = Perturb.Forward(
            Samples.Constant(device, shape, x), Samples.Constant(device, shape, directions), 0.5f, radius ? Samples.Constant(device, new Shape(rows), radii) : null);
        var want = new double[x.Length];
        for (int i = 0; i < want.Length; i++)
        {
            double norm = Math.Sqrt(directions.AsSpan(i / width * width, width).ToArray().Sum(d => (double)d * d));
            want[i] = x[i] + (0.5 * (radius ? radii[i / width] : 1) * directions[i] / norm);
        }

        Close.Assert(Samples.Read(y), want, 2e-6 * (radius ? rows : 4), "moved rows");
    }

    [Test]
    public void Without_a_direction_a_row_stays()
    {
        using var device = on.Open();
        var y = Perturb.Forward(Samples.Constant(device, new Shape(2, 3), [1, 2, 3, 4, 5, 6]), Samples.Constant(device, new Shape(2, 3), [0, 0, 0, 0, 2, 0]), 3);
        Assert.That(Samples.Read(y), Is.EqualTo(new float[] { 1, 2, 3, 4, 8, 6 }));
    }

    [Test]
    public void NaN_stays_in_its_row()
    {
        using var device = on.Open();
        float[] y = Samples.Read(Perturb.Forward(
            Samples.Constant(device, new Shape(2, 2), [1, 2, 3, 4]), Samples.Constant(device, new Shape(2, 2), [float.NaN, 1, 1, 0]), 1));
        Assert.That(y, Is.EqualTo(new[] { float.NaN, float.NaN, 4, 4 }));
    }

    [Test]
    public void Misfits_are_named()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(2, 3), new float[6]);
        Assert.That(() => Perturb.Forward(x, Samples.Constant(device, new Shape(3, 2), new float[6]), 1), Throws.TypeOf<ShapeException>().With.Message.Contains("directions [N, D]"));
        Assert.That(() => Perturb.Forward(x, x, 1, Samples.Constant(device, new Shape(3), new float[3])), Throws.TypeOf<ShapeException>().With.Message.Contains("radii"));
    }
}
