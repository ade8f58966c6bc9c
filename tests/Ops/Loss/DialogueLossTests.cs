using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

/// <summary>A-Proto and AvA, compositions over SimilaritySoftmax, and what it learnt for them: scale, weights, offsets, items.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class DialogueLossTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(DialogueLossTests), nameof(PrototypicalCases))]
    public void A_Proto_equals_PyTorch(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        var e = g.Input("e");
        var (rows, scale, tape) = (Dialogues.Rows(device, e), Dialogues.Scalar(device, g.Number("w")), new Tape());
        var loss = AngularPrototypical.Forward(tape, rows, e.Shape[1], scale, normalizeFirst: g.Flag("normalize_first"));
        tape.Backward(loss);
        g.AssertOutput("loss", Samples.Read(loss));
        g.AssertOutput("grad_e", Dialogues.Swap(Samples.Read(rows.Grad!), e.Shape[1], e.Shape[0]));
        g.AssertOutput("grad_w", Samples.Read(scale.Grad!));
        g.AssertOutput("grad_b", [0f]); // The offset cancels: it is no argument.
    }

    [Category("Golden")]
    [TestCaseSource(typeof(DialogueLossTests), nameof(AllVersusAllCases))]
    public void AvA_equals_PyTorch(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        var e = g.Input("e");
        int dialogues = e.Shape[0], utterances = e.Shape[1], count = dialogues * utterances;
        bool supcon = g.Text("variant") == "supcon", weighted = g.Flag("weighted");
        var (rows, scale, tape) = (Dialogues.Rows(device, e), Dialogues.Scalar(device, g.Number("w")), new Tape());
        float[] ones = [.. Enumerable.Repeat(1f, dialogues)];
        float[] values = weighted ? g.Input("weights").ToSingle() : ones;
        var weights = weighted ? Samples.Constant(device, new Shape(dialogues), values) : null;
        var loss = AllVersusAll.Forward(tape, rows, utterances, scale, weights, supcon);
        tape.Backward(loss);
        g.AssertOutput("loss", Samples.Read(loss));
        g.AssertOutput("grad_e", Dialogues.Swap(Samples.Read(rows.Grad!), utterances, dialogues));
        g.AssertOutput("grad_w", Samples.Read(scale.Grad!));

        // The share of one utterance is the loss with a weight on it alone.
        var shares = new float[count];
        for (int i = 0; i < count; i++)
        {
            float[] single = new float[count];
            single[i] = values[i % dialogues];
            var one = AllVersusAll.Forward(null, rows, utterances, scale, Samples.Constant(device, new Shape(count), single), supcon);
            shares[i] = count * Samples.Read(one)[0];
        }

        g.AssertOutput("per_utterance", Dialogues.Swap(shares, utterances, dialogues));
    }

    [Test]
    public void The_vectors_of_the_methods_are_met()
    {
        using var device = on.Open();
        var (rows, scale) = (Dialogues.TwoViews(device), Dialogues.Scalar(device, 10));
        Assert.That(Samples.Read(AngularPrototypical.Forward(null, rows, 2, scale))[0], Is.EqualTo(0.010352474).Within(2e-7));
        Assert.That(Samples.Read(AllVersusAll.Forward(null, rows, 2, scale))[0], Is.EqualTo(0.010387410).Within(2e-7));
    }

    [Test]
    public void With_two_utterances_they_are_NT_Xent_bit_for_bit([Values(1, 5, 33)] int dialogues)
    {
        using var device = on.Open();
        float[] values = Samples.Normal(1, 2 * dialogues * 19);
        Assert.Multiple(() =>
        {
            // 1/τ = w = 8 is exact in f32.
            Assert.That(Run((tape, x, w) => AngularPrototypical.Forward(tape, x, 2, w)), Is.EqualTo(Run(Pairs(symmetric: false))), "A-Proto");
            Assert.That(Run((tape, x, w) => AllVersusAll.Forward(tape, x, 2, w)), Is.EqualTo(Run(Pairs(symmetric: true))), "AvA");
        });

        Func<Tape, Tensor, Tensor, Tensor> Pairs(bool symmetric) => (tape, x, _) =>
            NtXent.Forward(tape, x.Slice(0, dialogues), x.Slice(dialogues, dialogues), 1 / 8f, symmetric, MarginKind.None, 0);

        float[][] Run(Func<Tape, Tensor, Tensor, Tensor> forward)
        {
            device.Workspace.Reset();
            var (tape, x) = (new Tape(), Samples.Variable(device, new Shape(2 * dialogues, 19), values));
            var loss = forward(tape, x, Samples.Constant(device, new Shape(1), [8f]));
            tape.Backward(loss);
            return [Samples.Read(loss), Samples.Read(x.Grad!)];
        }
    }

    [Test]
    public void Gradients_match_differences([Values(2, 3, 4)] int utterances, [Values] bool supcon, [Values] bool weighted)
    {
        const int dialogues = 3, width = 7;
        float[] weights = [0.5f, 2, 1.25f];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("rows", new Shape(utterances * dialogues, width), Samples.Normal(1, utterances * dialogues * width)), ("scale", new Shape(1), [5])],
            (tape, v) => AllVersusAll.Forward(
                tape, v[0], utterances, v[1], weighted ? Samples.Constant(device, new Shape(dialogues), weights) : null, supcon),
            v => [AvA(v[0], v[1][0], utterances, dialogues, width, supcon, weighted ? weights : null)]);
    }

    [Test]
    public void Prototypes_of_several_utterances_match_differences([Values] bool normalizeFirst)
    {
        const int dialogues = 4, utterances = 3, width = 5;
        float[] weights = [0.5f, 2, 1.25f, 0];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("rows", new Shape(utterances * dialogues, width), Samples.Normal(1, utterances * dialogues * width)), ("scale", new Shape(1), [5])],
            (tape, v) => AngularPrototypical.Forward(tape, v[0], utterances, v[1], Samples.Constant(device, new Shape(dialogues), weights), normalizeFirst),
            v =>
            {
                double[][] rows = normalizeFirst ? LossReference.UnitRows(v[0], width) : [.. v[0].Chunk(width)];
                var prototypes = Enumerable.Range(0, dialogues).SelectMany(k => rows[dialogues + k].Zip(rows[(2 * dialogues) + k], (a, b) => a + b));
                double[][] unit = LossReference.UnitRows([.. prototypes], width);
                double[][] queries = LossReference.UnitRows([.. v[0].Take(dialogues * width)], width);
                double sum = 0;
                for (int j = 0; j < dialogues; j++)
                {
                    sum += weights[j] * LossReference.Loss([queries[j]], unit, _ => j, (_, _) => true, MarginKind.None, 0, v[1][0]);
                }

                return [sum / dialogues];
            });
    }

    [Test]
    public void A_scale_below_the_floor_counts_as_the_floor_and_can_come_back()
    {
        using var device = on.Open();
        var (rows, scale, tape) = (Dialogues.TwoViews(device), Dialogues.Scalar(device, -3), new Tape());
        var loss = AllVersusAll.Forward(tape, rows, 2, scale);
        tape.Backward(loss);
        Assert.That(Samples.Read(loss)[0], Is.EqualTo(Math.Log(7)).Within(1e-5), "all candidates alike");
        Assert.That(Samples.Read(scale.Grad!)[0], Is.Not.Zero.And.Not.NaN);
    }

    [Test]
    public void The_scale_learns_where_the_rows_are_constant()
    {
        using var device = on.Open();
        var (free, frozen) = (Run(true), Run(false));
        Assert.That(frozen, Is.EqualTo(free));

        float[] Run(bool wantsRows)
        {
            device.Workspace.Reset();
            var (rows, scale, tape) = (Dialogues.TwoViews(device), Dialogues.Scalar(device, 10), new Tape());
            rows.RequiresGrad = wantsRows;
            tape.Backward(AngularPrototypical.Forward(tape, rows, 2, scale));
            Assert.That(rows.Grad is not null, Is.EqualTo(wantsRows));
            return Samples.Read(scale.Grad!);
        }
    }

    [Test]
    public void What_does_not_fit_is_named()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(6, 4), Samples.Normal(1, 24));
        var scale = Samples.Constant(device, new Shape(1), [10f]);
        var four = Samples.Constant(device, new Shape(4), [1f, 1, 1, 1]);
        Tensor Softmax(SimilaritySoftmaxOptions options) => SimilaritySoftmax.Forward(null, x, x, options);
        Assert.Multiple(() =>
        {
            Assert.That(() => AllVersusAll.Forward(null, x, 1, scale), Throws.TypeOf<ShapeException>().With.Message.Contains("2 utterances"));
            Assert.That(() => AllVersusAll.Forward(null, x, 4, scale), Throws.TypeOf<ShapeException>());
            Assert.That(() => AngularPrototypical.Forward(null, x, 2, four), Throws.TypeOf<ShapeException>());
            Assert.That(() => AngularPrototypical.Forward(null, x, 2, scale, four), Throws.TypeOf<ShapeException>());
            Assert.That(() => Softmax(new() { Scale = scale, Margin = MarginKind.Additive }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => Softmax(new() { Factor = float.NaN }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => Softmax(new() { PositiveOffset = 6 }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => Softmax(new() { PositiveOffset = 1, Symmetric = true }), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => Softmax(new() { ItemCount = 3, Symmetric = true }), Throws.TypeOf<InvalidOptionException>());
        });
    }

    private static IEnumerable<TestCaseData> PrototypicalCases() => Golden.Cases("angular_prototypical");

    private static IEnumerable<TestCaseData> AllVersusAllCases() => Golden.Cases("ava");

    private static double AvA(double[] values, double scale, int utterances, int dialogues, int width, bool supcon, float[]? weights)
    {
        double[][] rows = LossReference.UnitRows(values, width);
        double sum = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            for (int r = 1; r < utterances; r++)
            {
                int anchor = i, positive = (i + (r * dialogues)) % rows.Length;
                bool Keep(int _, int j) => supcon ? j != anchor : j % dialogues != anchor % dialogues;
                sum += (weights?[i % dialogues] ?? 1) * LossReference.Loss([rows[i]], rows, _ => positive, Keep, MarginKind.None, 0, scale);
            }
        }

        return sum / (rows.Length * (utterances - 1));
    }
}

/// <summary>What only the CPU side promises.</summary>
public class DialogueLossCpuTests
{
    [Test]
    public void A_step_allocates_nothing()
    {
        using var device = new CpuDevice(2);
        var (tape, set) = (new Tape(), new ParameterSet(device));
        var rows = set.Add("rows", new Shape(3 * 8, 32), Initializer.XavierNormal(1, 1));
        var scale = set.Add("scale", new Shape(1), Initializer.Constant(10));
        set.Allocate(1);
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            tape.Backward(AllVersusAll.Forward(tape, rows.Value, 3, scale.Value));
            tape.Backward(AngularPrototypical.Forward(tape, rows.Value, 3, scale.Value));
        });
    }
}
