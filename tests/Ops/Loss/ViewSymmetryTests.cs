using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class ViewSymmetryTests(TestDevice on)
{
    [Test]
    public void Sure_views_of_different_classes_are_as_far_apart_as_can_be()
    {
        using var device = on.Open();
        var loss = ViewSymmetry.Forward(null, Samples.Constant(device, new Shape(4, 4), [99, 0, 0, 0, 0, 99, 0, 0, 0, 0, 99, 0, 0, 0, 0, 99]), 4);
        Close.Assert(Samples.Read(loss), [Math.Log(4)], 1e-6, "Jensen-Shannon divergence of four");
    }

    [Test]
    public void Equal_views_are_symmetric()
    {
        using var device = on.Open();
        float[] item = Samples.Normal(1, 2 * 37, 3f);
        var loss = ViewSymmetry.Forward(null, Samples.Constant(device, new Shape(6, 37), [.. item, .. item, .. item]), 3);
        Close.Assert(Samples.Read(loss), [0], 1e-6, "divergence");
    }

    [Test]
    public void It_does_not_matter_which_view_is_which()
    {
        using var device = on.Open();
        float[] a = Samples.Normal(1, 2 * 37), b = Samples.Normal(2, 2 * 37), c = Samples.Normal(3, 2 * 37);
        float first = Samples.Read(ViewSymmetry.Forward(null, Samples.Constant(device, new Shape(6, 37), [.. a, .. b, .. c]), 3))[0];
        float second = Samples.Read(ViewSymmetry.Forward(null, Samples.Constant(device, new Shape(6, 37), [.. c, .. a, .. b]), 3))[0];
        Assert.That(second, Is.EqualTo(first).Within(1e-6));
    }

    [Test]
    public void Gradients_match_differences([Values(1, 3)] int items, [Values(2, 4, 5)] int views, [Values(1, 15, 16, 33, 100)] int classes, [Values] bool weighted)
    {
        float[] weights = [.. Enumerable.Range(0, items * views).Select(i => ((i % views) + 1) / (views * (views + 1) / 2f))];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("logits", new Shape(views * items, classes), Samples.Normal(1, views * items * classes, 2f))],
            (tape, v) => ViewSymmetry.Forward(tape, v[0], views, weighted ? Samples.Constant(device, new Shape(items, views), weights) : null),
            v => [Reference(v[0], items, views, classes, weighted ? weights : null)]);
    }

    [Test]
    public void Gradients_add_up()
    {
        using var device = on.Open();
        var (once, tape) = (Samples.Variable(device, new Shape(4, 33), Samples.Normal(1, 132)), new Tape());
        var twice = Samples.Variable(device, new Shape(4, 33), Samples.Normal(1, 132));
        tape.Backward(ViewSymmetry.Forward(tape, once, 2));
        for (int i = 0; i < 2; i++)
        {
            tape.Clear();
            tape.Backward(ViewSymmetry.Forward(tape, twice, 2));
        }

        Close.Assert(Samples.Read(twice.Grad!), [.. Samples.Read(once.Grad!).Select(g => 2.0 * g)], 1e-7, "gradient");
    }

    [Test]
    public void NaN_reaches_the_loss()
    {
        using var device = on.Open();
        float[] logits = Samples.Normal(1, 80);
        logits[45] = float.NaN;
        Assert.That(Samples.Read(ViewSymmetry.Forward(null, Samples.Constant(device, new Shape(2, 40), logits), 2))[0], Is.NaN);
    }

    [Test]
    public void Misfits_are_named()
    {
        using var device = on.Open(1);
        var logits = Samples.Constant(device, new Shape(6, 3), new float[18]);
        Assert.Multiple(() =>
        {
            Assert.That(() => ViewSymmetry.Forward(null, logits, 4), Throws.TypeOf<ShapeException>().With.Message.Contains("4 views"));
            Assert.That(() => ViewSymmetry.Forward(null, logits, 1), Throws.TypeOf<ShapeException>());
            Assert.That(() => ViewSymmetry.Forward(null, logits.Channels(0, 2), 2), Throws.TypeOf<ShapeException>().With.Message.Contains("contiguous"));
            Assert.That(() => ViewSymmetry.Forward(null, logits, 2, Samples.Constant(device, new Shape(2, 3), new float[6])), Throws.TypeOf<ShapeException>().With.Message.Contains("[3, 2]"));
        });
    }

    [Test]
    public void Steps_allocate_nothing()
    {
        Assume.That(on.IsCuda, Is.False, "skipped, optional: the emulator is host code, which may allocate");
        using var device = on.Open();
        var tape = new Tape();
        float[] values = Samples.Normal(1, 8 * 50);
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            tape.Backward(ViewSymmetry.Forward(tape, Samples.Variable(device, new Shape(8, 50), values), 4));
        });
    }

    private static double Reference(double[] logits, int items, int views, int classes, float[]? weights)
    {
        double total = 0;
        for (int i = 0; i < items; i++)
        {
            double[][] p = [.. Enumerable.Range(0, views).Select(v => DivergenceTests.Softmax(logits, (v * items) + i, classes))];
            for (int k = 0; k < classes; k++)
            {
                double mixture = 0;
                for (int v = 0; v < views; v++)
                {
                    mixture += (weights?[(i * views) + v] ?? 1.0 / views) * p[v][k];
                }

                total += p.Sum(q => q[k] * Math.Log(q[k] / mixture)) / (views * items);
            }
        }

        return total;
    }
}
