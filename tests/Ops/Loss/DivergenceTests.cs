using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class DivergenceTests(TestDevice on)
{
    [Test]
    public void Of_a_coin_it_is_the_closed_form()
    {
        using var device = on.Open();
        var loss = Divergence.Forward(
            null, Samples.Constant(device, new Shape(1, 2), [MathF.Log(3), 0]), Samples.Constant(device, new Shape(1, 2), [0, 0]));
        Close.Assert(Samples.Read(loss), [(0.75 * Math.Log(1.5)) + (0.25 * Math.Log(0.5))], 1e-6, "KL(3/4, 1/4 ‖ 1/2, 1/2)");
    }

    [Test]
    public void Equal_distributions_do_not_diverge_and_large_logits_lose_no_digits()
    {
        using var device = on.Open();
        float[] logits = [1000, 999, 2, -1000, 1001, 5], shifted = [.. logits.Select(l => l + 8)];
        var same = Divergence.Forward(null, Samples.Constant(device, new Shape(2, 3), shifted), Samples.Constant(device, new Shape(2, 3), logits));
        Close.Assert(Samples.Read(same), [0], 1e-6, "of equal ones");
        var other = Divergence.Forward(null, Samples.Constant(device, new Shape(1, 2), [0, 300]), Samples.Constant(device, new Shape(1, 2), [300, 0]));
        Close.Assert(Samples.Read(other), [300], 1e-4, "of opposite ones");
    }

    [Test]
    public void Gradients_match_differences([Values(1, 2, 3)] int targets, [Values(1, 3)] int views, [Values(1, 15, 16, 33, 300)] int classes, [Values] bool mixed)
    {
        int rows = targets * views;
        float[] of = Samples.Normal(5, targets * classes, 2f), weights = [.. Enumerable.Range(0, rows).Select(i => i == 0 ? 1 : 0.3f + (0.1f * i / rows))];
        int[] second = [.. Enumerable.Range(0, rows).Select(i => i * 7 % targets)];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("logits", new Shape(rows, classes), Samples.Normal(1, rows * classes, 2f))],
            (tape, v) => Divergence.Forward(tape, Samples.Constant(device, new Shape(targets, classes), of), v[0], mixed ? Mix(device, second, weights) : null),
            v => [Reference(Samples.ToDouble(of), v[0], classes, mixed ? second : null, weights)]);
    }

    [Test]
    public void No_gradient_reaches_the_targets()
    {
        using var device = on.Open();
        var (targets, logits, tape) = (Samples.Variable(device, new Shape(2, 5), Samples.Normal(1, 10)), Samples.Variable(device, new Shape(2, 5), Samples.Normal(2, 10)), new Tape());
        tape.Backward(Divergence.Forward(tape, targets, logits));
        Assert.That(targets.Grad, Is.Null);
        Assert.That(logits.Grad, Is.Not.Null);
    }

    [Test]
    public void NaN_reaches_the_loss([Values] bool inTargets)
    {
        using var device = on.Open();
        float[] broken = Samples.Normal(1, 80), whole = Samples.Normal(2, 80);
        broken[45] = float.NaN;
        var loss = Divergence.Forward(null, Samples.Constant(device, new Shape(2, 40), inTargets ? broken : whole), Samples.Constant(device, new Shape(2, 40), inTargets ? whole : broken));
        Assert.That(Samples.Read(loss)[0], Is.NaN);
    }

    [Test]
    public void Misfits_are_named()
    {
        using var device = on.Open(1);
        var logits = Samples.Constant(device, new Shape(4, 3), new float[12]);
        Assert.Multiple(() =>
        {
            Assert.That(() => Divergence.Forward(null, Samples.Constant(device, new Shape(3, 3), new float[9]), logits), Throws.TypeOf<ShapeException>().With.Message.Contains("R dividing N"));
            Assert.That(() => Divergence.Forward(null, Samples.Constant(device, new Shape(4, 2), new float[8]), logits), Throws.TypeOf<ShapeException>());
            Assert.That(() => Divergence.Forward(null, logits, logits, Mix(device, [0], [1])), Throws.TypeOf<ShapeException>().With.Message.Contains("4 rows"));
        });
        if (!on.IsCuda)
        {
            Assert.That(() => Divergence.Forward(null, logits, logits, Mix(device, [0, 1, 2, 4], [1, 1, 1, 0])), Throws.TypeOf<ShapeException>().With.Message.Contains("row 3"));
        }
    }

    [Test]
    public void Steps_allocate_nothing()
    {
        Assume.That(on.IsCuda, Is.False, "skipped, optional: the emulator is host code, which may allocate");
        using var device = on.Open();
        var tape = new Tape();
        float[] values = Samples.Normal(1, 8 * 50), targets = Samples.Normal(2, 4 * 50);
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            tape.Backward(Divergence.Forward(tape, Samples.Constant(device, new Shape(4, 50), targets), Samples.Variable(device, new Shape(8, 50), values)));
        });
    }

    /// <summary>Softmax of a row in f64.</summary>
    internal static double[] Softmax(double[] logits, int row, int classes)
    {
        var l = logits.AsSpan(row * classes, classes).ToArray();
        double highest = l.Max(), sum = l.Sum(x => Math.Exp(x - highest));
        return [.. l.Select(x => Math.Exp(x - highest) / sum)];
    }

    private static double Reference(double[] targets, double[] logits, int classes, int[]? second, float[] weights)
    {
        int rows = logits.Length / classes, targetRows = targets.Length / classes;
        double total = 0;
        for (int i = 0; i < rows; i++)
        {
            var (t, p) = (Softmax(targets, i % targetRows, classes), Softmax(logits, i, classes));
            if (second is not null)
            {
                var other = Softmax(targets, second[i], classes);
                double weight = weights[i];
                t = [.. t.Zip(other, (a, b) => (weight * a) + ((1 - weight) * b))];
            }

            total += t.Zip(p, (a, b) => a * Math.Log(a / b)).Sum() / rows;
        }

        return total;
    }

    private static RowMix Mix(Device device, int[] second, float[] weights)
    {
        var partners = device.Workspace.Rent(new Shape(second.Length), ElementType.Int32);
        partners.CopyIntsFrom(second);
        return new RowMix(partners, Samples.Constant(device, new Shape(weights.Length), weights));
    }
}
