using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class L1Tests(TestDevice on)
{
    [Test]
    public void Two_elements_by_hand()
    {
        using var device = on.Open();
        var loss = L1.Forward(null, Samples.Constant(device, new Shape(2), [1, 3]), Samples.Constant(device, new Shape(2), [0.5f, 5]));
        Assert.That(Samples.Read(loss)[0], Is.EqualTo((0.5 + 2) / 2));
    }

    [Test]
    public void Gradients_match_differences([Values(1, 15, 16, 17, 131)] int columns, [Values] bool weighted)
    {
        const int rows = 3 * 2;
        float[] weights = [0, 1, 2, 0.5f, 3, 1];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("x", new Shape(3, 2, columns), Samples.Normal(1, rows * columns)), ("target", new Shape(3, 2, columns), Samples.Normal(2, rows * columns))],
            (tape, v) => L1.Forward(tape, v[0], v[1], weighted ? Samples.Constant(device, new Shape(rows), weights) : null),
            v =>
            {
                double sum = 0;
                for (int i = 0; i < v[0].Length; i++)
                {
                    double d = v[0][i] - v[1][i];
                    sum += (weighted ? weights[i / columns] : 1) * Math.Abs(d);
                }

                return [sum / v[0].Length];
            });
    }

    [TestCase(0)]
    [TestCase(1)]
    [TestCase(4)]
    public void Frames_predict_frames_ahead(int ahead)
    {
        const int items = 3, frames = 5, channels = 7;
        using var device = on.Open();
        var shape = new Shape(items, frames, channels);
        GradientCheck.Run(
            device,
            [("predictions", shape, Samples.Normal(1, shape.Count)), ("features", shape, Samples.Normal(2, shape.Count))],
            (tape, v) => L1.Ahead(tape, v[0], v[1], ahead),
            v =>
            {
                double sum = 0;
                for (int i = 0; i < shape.Count; i++)
                {
                    sum += (i / channels % frames) + ahead < frames ? Math.Abs(v[0][i] - v[1][i + (ahead * channels)]) : 0;
                }

                return [sum / (items * (frames - ahead) * channels)];
            });
    }

    [Test]
    public void Equal_elements_have_no_gradient_and_a_NaN_shows()
    {
        using var device = on.Open();
        float[] values = Samples.Normal(1, 40);
        var (x, tape) = (Samples.Variable(device, new Shape(2, 20), values), new Tape());
        tape.Backward(L1.Forward(tape, x, Samples.Constant(device, new Shape(2, 20), values)));
        Assert.That(Samples.Read(x.Grad!), Is.All.Zero);
        values[39] = float.NaN;
        Assert.That(Samples.Read(L1.Forward(null, x, Samples.Constant(device, new Shape(2, 20), values)))[0], Is.NaN);
    }

    [Test]
    public void Gradients_add_up_and_views_keep_their_neighbours()
    {
        using var device = on.Open();
        var wide = Samples.Variable(device, new Shape(4, 40), Samples.Normal(1, 160));
        var (view, target) = (wide.Channels(3, 33), Samples.Constant(device, new Shape(4, 33), Samples.Normal(2, 132)));
        var copy = Samples.Variable(device, new Shape(4, 33), Samples.Read(view));
        var tape = new Tape();
        tape.Backward(L1.Forward(tape, copy, target));
        tape.Clear();
        tape.Backward(L1.Forward(tape, view, target));
        tape.Clear();
        tape.Backward(L1.Forward(tape, view, target));
        Assert.That(Samples.Read(view.Grad!), Is.EqualTo(Samples.Read(copy.Grad!).Select(g => 2 * g)));
        Assert.That(Samples.Read(wide.Grad!).Where((_, i) => i % 40 is < 3 or > 35), Is.All.Zero);
    }

    [Test]
    public void What_does_not_fit_is_named()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(2, 3), new float[6]);
        Assert.Multiple(() =>
        {
            Assert.That(() => L1.Forward(null, x, x.Slice(0, 1)), Throws.TypeOf<ShapeException>());
            Assert.That(() => L1.Forward(null, x, x, x), Throws.TypeOf<ShapeException>().With.Message.Contains("2 weights"));
            Assert.That(() => L1.Forward(null, x.Slice(0, 0), x.Slice(0, 0)), Throws.TypeOf<ShapeException>());
            var sequence = device.Workspace.Rent(new Shape(2, 4, 3));
            Assert.That(() => L1.Ahead(null, sequence, sequence, 4), Throws.TypeOf<ShapeException>().With.Message.Contains("4 frames ahead"));
        });
    }
}

/// <summary>What only the CPU side promises.</summary>
public class L1CpuTests
{
    [Test]
    public void A_step_allocates_nothing()
    {
        using var device = new CpuDevice(2);
        var (tape, set) = (new Tape(), new ParameterSet(device));
        var (x, y) = (set.Add("x", new Shape(50, 37), Initializer.XavierNormal(1, 1)), set.Add("y", new Shape(50, 37), Initializer.XavierNormal(1, 1)));
        set.Allocate(1);
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            tape.Backward(L1.Forward(tape, x.Value, y.Value));
        });
    }
}
