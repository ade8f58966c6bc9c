using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class Ge2eTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(Ge2eTests), nameof(GoldenCases))]
    public void Softmax_equals_PyTorch(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        var e = g.Input("e");
        var (rows, scale, offset) = (Dialogues.Rows(device, e), Dialogues.Scalar(device, g.Number("w")), Dialogues.Scalar(device, g.Number("b")));
        var tape = new Tape();
        var loss = Ge2e.Forward(tape, rows, e.Shape[1], scale, offset, new Ge2eOptions { NormalizeFirst = g.Flag("normalize_first") });
        tape.Backward(loss);
        g.AssertOutput("loss", Samples.Read(loss));
        g.AssertOutput("grad_e", Dialogues.Swap(Samples.Read(rows.Grad!), e.Shape[1], e.Shape[0]));
        g.AssertOutput("grad_w", Samples.Read(scale.Grad!));
        g.AssertOutput("grad_b", Samples.Read(offset.Grad!));
    }

    [Test]
    public void The_vector_of_the_methods_is_met()
    {
        using var device = on.Open();
        var (rows, scale, offset, tape) = (Dialogues.TwoViews(device), Dialogues.Scalar(device, 10), Dialogues.Scalar(device, -5), new Tape());
        var loss = Ge2e.Forward(tape, rows, 2, scale, offset, new Ge2eOptions());
        tape.Backward(loss);
        Assert.Multiple(() =>
        {
            Assert.That(Samples.Read(loss)[0], Is.EqualTo(0.001049032).Within(2e-8));
            Assert.That(Samples.Read(scale.Grad!)[0], Is.EqualTo(-0.000712404).Within(2e-8));
            Assert.That(Samples.Read(offset.Grad!)[0], Is.Zero);
        });
    }

    [Test]
    public void Gradients_match_differences([Values] Ge2eForm form, [Values] bool normalizeFirst, [Values(2, 4)] int utterances, [Values(1, 5, 33)] int dialogues)
    {
        const int width = 3;
        float[] weights = [.. Enumerable.Range(0, dialogues).Select(i => 0.5f + (0.25f * i))];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [
                ("rows", new Shape(utterances * dialogues, width), Samples.Normal(1, utterances * dialogues * width)),
                ("scale", new Shape(1), [3]), ("offset", new Shape(1), [-1]),
            ],
            (tape, v) => Ge2e.Forward(tape, v[0], utterances, v[1], v[2], new Ge2eOptions
            {
                Form = form,
                NormalizeFirst = normalizeFirst,
                Weights = Samples.Constant(device, new Shape(dialogues), weights),
            }),
            v => [Reference(v[0], v[1][0], v[2][0], utterances, dialogues, width, form, normalizeFirst, weights)]);
    }

    [Test]
    public void Gradients_add_to_those_that_are_there_and_views_keep_their_neighbours([Values] bool normalizeFirst)
    {
        using var device = on.Open();
        var (wide, scale, offset, tape) = (Samples.Variable(device, new Shape(6, 11), Samples.Normal(1, 66)), Dialogues.Scalar(device, 5), Dialogues.Scalar(device, 0), new Tape());
        var view = wide.Channels(2, 8);
        var copy = Samples.Variable(device, new Shape(6, 8), Samples.Read(view));
        var options = new Ge2eOptions { NormalizeFirst = normalizeFirst };
        tape.Backward(Ge2e.Forward(tape, copy, 2, scale, offset, options));
        float once = Samples.Read(scale.Grad!)[0];
        tape.Clear();
        tape.Backward(Ge2e.Forward(tape, view, 2, scale, offset, options));
        Assert.That(Samples.Read(view.Grad!), Is.EqualTo(Samples.Read(copy.Grad!)));
        Assert.That(Samples.Read(scale.Grad!)[0], Is.EqualTo(2 * once));
        Assert.That(Samples.Read(wide.Grad!).Where((_, i) => i % 11 is < 2 or > 9), Is.All.Zero);
    }

    [Test]
    public void A_zero_row_has_a_finite_gradient_and_a_NaN_shows_in_the_loss([Values] Ge2eForm form)
    {
        using var device = on.Open();
        float[] values = Samples.Normal(1, 8 * 5);
        values.AsSpan(5, 5).Clear();
        Assert.That(Run(values).Gradient, Is.All.Matches<float>(float.IsFinite));
        values[^1] = float.NaN;
        Assert.That(Run(values).Loss, Is.NaN);

        (float Loss, float[] Gradient) Run(float[] x)
        {
            device.Workspace.Reset();
            var (rows, tape) = (Samples.Variable(device, new Shape(8, 5), x), new Tape());
            var loss = Ge2e.Forward(tape, rows, 4, Dialogues.Scalar(device, 5), Dialogues.Scalar(device, 0), new Ge2eOptions { Form = form });
            tape.Backward(loss);
            return (Samples.Read(loss)[0], Samples.Read(rows.Grad!));
        }
    }

    [Test]
    public void What_does_not_fit_is_named()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(6, 4), Samples.Normal(1, 24));
        var one = Samples.Constant(device, new Shape(1), [10f]);
        var four = Samples.Constant(device, new Shape(4), [1f, 1, 1, 1]);
        Assert.Multiple(() =>
        {
            Assert.That(() => Ge2e.Forward(null, x, 1, one, one, new()), Throws.TypeOf<ShapeException>());
            Assert.That(() => Ge2e.Forward(null, x, 4, one, one, new()), Throws.TypeOf<ShapeException>());
            Assert.That(() => Ge2e.Forward(null, x, 2, four, one, new()), Throws.TypeOf<ShapeException>());
            Assert.That(() => Ge2e.Forward(null, x, 2, one, four, new()), Throws.TypeOf<ShapeException>());
            Assert.That(() => Ge2e.Forward(null, x, 2, one, one, new() { Weights = four }), Throws.TypeOf<ShapeException>().With.Message.Contains("6 rows"));
        });
    }

    private static IEnumerable<TestCaseData> GoldenCases() => Golden.Cases("ge2e_softmax");

    private static double Reference(
        double[] values, double scale, double offset, int utterances, int dialogues, int width, Ge2eForm form, bool normalizeFirst, float[] weights)
    {
        double[][] unit = LossReference.UnitRows(values, width), members = normalizeFirst ? unit : [.. values.Chunk(width)];
        double sum = 0;
        for (int i = 0; i < unit.Length; i++)
        {
            double[] logits = [.. Enumerable.Range(0, dialogues).Select(k => (scale * LossReference.Dot(unit[i], Centroid(k, i))) + offset)];
            double own = logits[i % dialogues];
            sum += weights[i % dialogues] * (form == Ge2eForm.Softmax
                ? Math.Log(logits.Sum(s => Math.Exp(s - own)))
                : 1 - Sigmoid(own) + logits.Where((_, k) => k != i % dialogues).Select(Sigmoid).DefaultIfEmpty(0).Max());
        }

        return sum / unit.Length;

        double[] Centroid(int k, int without)
        {
            double[] total = new double[width];
            for (int u = 0; u < utterances; u++)
            {
                int row = (u * dialogues) + k;
                for (int d = 0; d < width && row != without; d++)
                {
                    total[d] += members[row][d];
                }
            }

            return LossReference.UnitRows(total, width)[0];
        }

        static double Sigmoid(double x) => 1 / (1 + Math.Exp(-x));
    }
}

/// <summary>What only the CPU side promises.</summary>
public class Ge2eCpuTests
{
    [Test]
    public void Threads_do_not_change_a_bit([Values] Ge2eForm form)
    {
        Assert.That(Run(1), Is.EqualTo(Run(3)));

        float[][] Run(int threads)
        {
            using var device = new CpuDevice(threads);
            var (rows, scale, offset, tape) = (
                Samples.Variable(device, new Shape(3 * 40, 19), Samples.Normal(1, 3 * 40 * 19)), Dialogues.Scalar(device, 5), Dialogues.Scalar(device, -1), new Tape());
            var loss = Ge2e.Forward(tape, rows, 3, scale, offset, new Ge2eOptions { Form = form });
            tape.Backward(loss);
            return [Samples.Read(loss), Samples.Read(rows.Grad!), Samples.Read(scale.Grad!), Samples.Read(offset.Grad!)];
        }
    }

    [Test]
    public void A_step_allocates_nothing([Values] Ge2eForm form)
    {
        using var device = new CpuDevice(2);
        var (tape, set) = (new Tape(), new ParameterSet(device));
        var rows = set.Add("rows", new Shape(3 * 8, 32), Initializer.XavierNormal(1, 1));
        var (scale, offset) = (set.Add("scale", new Shape(1), Initializer.Constant(10)), set.Add("offset", new Shape(1), Initializer.Constant(-5)));
        set.Allocate(1);
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            tape.Backward(Ge2e.Forward(tape, rows.Value, 3, scale.Value, offset.Value, new Ge2eOptions { Form = form }));
        });
    }
}
