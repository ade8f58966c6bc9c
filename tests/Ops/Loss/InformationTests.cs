using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class InformationTests(TestDevice on)
{
    [Test]
    public void Equal_logits_have_the_entropy_of_the_classes_twice()
    {
        using var device = on.Open();
        var loss = Information.Forward(null, Samples.Constant(device, new Shape(3, 37), LayerCheck.Constant(111, 50f)), 4, out var entropies);
        Close.Assert(Samples.Read(entropies), [Math.Log(37), Math.Log(37)], 1e-6, "entropies");
        Close.Assert(Samples.Read(loss), [-3 * Math.Log(37)], 1e-5, "loss");
    }

    [Test]
    public void Sure_rows_of_different_classes_reach_the_optimum_whatever_the_size_of_logits()
    {
        using var device = on.Open();
        float[] logits = new float[5 * 5];
        for (int i = 0; i < 5; i++)
        {
            logits[(i * 5) + ((i + 2) % 5)] = 1e4f;
        }

        var loss = Information.Forward(null, Samples.Constant(device, new Shape(5, 5), logits), 2, out var entropies);
        Close.Assert(Samples.Read(entropies), [0, Math.Log(5)], 1e-6, "entropies");
        Close.Assert(Samples.Read(loss), [-2 * Math.Log(5)], 1e-6, "loss");
    }

    [Test]
    public void Gradients_match_differences([Values(1, 2, 9)] int rows, [Values(1, 15, 16, 33, 300)] int classes, [Values(1f, 0.25f)] float share)
    {
        using var device = on.Open();
        float[] before = Distribution(classes);
        GradientCheck.Run(
            device,
            [("logits", new Shape(rows, classes), Samples.Normal(1, rows * classes, 3f))],
            (tape, v) => Information.Forward(tape, v[0], 1.5f, out _, share < 1 ? Samples.Constant(device, new Shape(classes), before) : null, share),
            v => [Reference(v[0], classes, 1.5, Samples.ToDouble(before), share).Loss]);
    }

    [Test]
    public void The_running_marginal_moves_by_the_share_of_the_batch()
    {
        using var device = on.Open();
        float[] logits = Samples.Normal(2, 7 * 40, 2f), before = Distribution(40);
        var running = Samples.Constant(device, new Shape(40), before);
        Information.Forward(null, Samples.Constant(device, new Shape(7, 40), logits), 4, out var entropies, running, 0.1f);
        var want = Reference(Samples.ToDouble(logits), 40, 4, Samples.ToDouble(before), 0.1f);
        Close.Assert(Samples.Read(running), want.Marginal, 1e-7, "marginal");
        Close.Assert(Samples.Read(entropies), [want.Conditional, want.Entropy], 1e-5, "entropies");
    }

    [Test]
    public void Views_keep_their_neighbours_and_gradients_add_up()
    {
        using var device = on.Open();
        var wide = Samples.Variable(device, new Shape(4, 40), Samples.Normal(1, 160));
        var (view, tape) = (wide.Channels(3, 33), new Tape());
        var copy = Samples.Variable(device, new Shape(4, 33), Samples.Read(view));
        tape.Backward(Information.Forward(tape, copy, 4, out _));
        for (int i = 0; i < 2; i++)
        {
            tape.Clear();
            tape.Backward(Information.Forward(tape, view, 4, out _));
        }

        Close.Assert(Samples.Read(view.Grad!), [.. Samples.Read(copy.Grad!).Select(g => 2.0 * g)], 1e-7, "gradient");
        Assert.That(Samples.Read(wide.Grad!).Where((_, i) => i % 40 is < 3 or > 35), Is.All.Zero);
    }

    [Test]
    public void NaN_reaches_the_loss()
    {
        using var device = on.Open();
        float[] logits = Samples.Normal(1, 80);
        logits[45] = float.NaN;
        Assert.That(Samples.Read(Information.Forward(null, Samples.Constant(device, new Shape(2, 40), logits), 4, out _))[0], Is.NaN);
    }

    [Test]
    public void Misfits_are_named()
    {
        using var device = on.Open(1);
        var logits = Samples.Constant(device, new Shape(2, 3), new float[6]);
        Assert.Multiple(() =>
        {
            Assert.That(() => Information.Forward(null, Samples.Constant(device, new Shape(3), new float[3]), 4, out _), Throws.TypeOf<ShapeException>().With.Message.Contains("[N, K]"));
            Assert.That(() => Information.Forward(null, logits, 4, out _, Samples.Constant(device, new Shape(2), [1, 0]), 0.1f), Throws.TypeOf<ShapeException>().With.Message.Contains("running marginal"));
            Assert.That(() => Information.Forward(null, logits, -1, out _), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => Information.Forward(null, logits, 4, out _, null, 0.1f), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("share"));
        });
    }

    [Test]
    public void Steps_allocate_nothing()
    {
        Assume.That(on.IsCuda, Is.False, "skipped, optional: the emulator is host code, which may allocate");
        using var device = on.Open();
        var tape = new Tape();
        float[] values = Samples.Normal(1, 8 * 50);
        var running = device.AllocatePersistent(new Shape(50));
        device.Fill(running, 0.02f);
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            tape.Backward(Information.Forward(tape, Samples.Variable(device, new Shape(8, 50), values), 4, out _, running, 0.1f));
        });
    }

    private static float[] Distribution(int classes)
    {
        float sum = classes * (classes + 1) / 2f;
        return [.. Enumerable.Range(1, classes).Select(k => k / sum)];
    }

    private static (double Loss, double Conditional, double Entropy, double[] Marginal) Reference(double[] logits, int classes, double weight, double[] running, float share)
    {
        int rows = logits.Length / classes;
        double conditional = 0;
        var marginal = new double[classes];
        for (int i = 0; i < rows; i++)
        {
            double[] p = DivergenceTests.Softmax(logits, i, classes);
            conditional -= p.Sum(x => x > 0 ? x * Math.Log(x) : 0) / rows;
            for (int k = 0; k < classes; k++)
            {
                marginal[k] += p[k] / rows;
            }
        }

        for (int k = 0; k < classes; k++)
        {
            marginal[k] = share < 1 ? ((1 - (double)share) * running[k]) + (share * marginal[k]) : marginal[k];
        }

        double entropy = -marginal.Sum(x => x > 0 ? x * Math.Log(x) : 0);
        return (conditional - (weight * entropy), conditional, entropy, marginal);
    }
}
