using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class MarginClassifierTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(MarginClassifierTests), nameof(GoldenCases))]
    public void Equals_PyTorch(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        var (x, w) = (g.Input("x"), g.Input("w"));
        var embeddings = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[1]), x.ToSingle());
        var weight = Samples.Variable(device, new Shape(w.Shape[0], w.Shape[1]), w.ToSingle());
        var kind = g.Op switch
        {
            "softmax_cosine" => MarginKind.None,
            "am_softmax" => MarginKind.Additive,
            "aam_softmax" => MarginKind.AdditiveAngular,
            _ => throw new ArgumentException(g.Op),
        };
        var tape = new Tape();
        var labels = Labels(device, g.Input("labels").ToInt32());

        var loss = MarginClassifier.Forward(tape, embeddings, weight, labels, kind, (float)g.Number("scale"), (float)g.Number("margin"), out _);
        tape.Backward(loss);

        g.AssertOutput("loss", Samples.Read(loss));
        g.AssertOutput("grad_x", Samples.Read(embeddings.Grad!));
        g.AssertOutput("grad_w", Samples.Read(weight.Grad!));
    }

    // methods.md section 18: published to 9 decimals.
    [TestCase(MarginKind.None, 0f, 0.069514172)]
    [TestCase(MarginKind.Additive, 0.2f, 1.654741514)]
    [TestCase(MarginKind.AdditiveAngular, 0.2f, 1.317345614)]
    public void Equals_closed_form_vectors(MarginKind kind, float margin, double want)
    {
        using var device = on.Open(1);
        var labels = Labels(device, [0, 1, 2, 0]);
        var loss = MarginClassifier.Forward(null, Vectors.Views(device, 0), Vectors.Weights(device), labels, kind, 30, margin, out _);
        Close.Assert(Samples.Read(loss), [want], 1e-6 * Math.Max(1, want), "loss");
    }

    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "adaface" } })]
    public void AdaFace_equals_PyTorch(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        Assert.That(g.Number("eps"), Is.EqualTo(1e-3));
        using var device = on.Open();
        var (x, w) = (g.Input("x"), g.Input("w"));
        var embeddings = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[1]), x.ToSingle());
        var weight = Samples.Variable(device, new Shape(w.Shape[0], w.Shape[1]), w.ToSingle());
        var state = Samples.Constant(device, new Shape(3), [(float)g.Number("mean0"), (float)g.Number("std0"), 1]);
        var options = new MarginClassifierOptions
        {
            Scale = (float)g.Number("scale"),
            Margin = (float)g.Number("margin"),
            Adaptive = new AdaptiveMargin(state) { Concentration = (float)g.Number("h"), Rate = (float)g.Number("t_alpha") },
        };
        var tape = new Tape();
        var loss = MarginClassifier.Forward(tape, embeddings, weight, Labels(device, g.Input("labels").ToInt32()), options, out _);
        tape.Backward(loss);
        g.AssertOutput("loss", Samples.Read(loss));
        g.AssertOutput("grad_x", Samples.Read(embeddings.Grad!));
        g.AssertOutput("grad_w", Samples.Read(weight.Grad!));
        g.AssertOutput("new_mean", Samples.Read(state).AsSpan(0, 1));
        g.AssertOutput("new_std", Samples.Read(state).AsSpan(1, 1));
    }

    // methods.md section 18: the first batch starts mean and deviation.
    [Test]
    public void AdaFace_equals_the_closed_form_vector()
    {
        using var device = on.Open(1);
        var state = Samples.Constant(device, new Shape(3), new float[3]);
        var options = new MarginClassifierOptions { Margin = 0.4f, Adaptive = new AdaptiveMargin(state) };
        var loss = MarginClassifier.Forward(null, Vectors.Views(device, 0), Vectors.Weights(device), Labels(device, [0, 1, 2, 0]), options, out _);
        Close.Assert(Samples.Read(loss), [5.196937532], 1e-5, "loss");
        Assert.That(Samples.Read(state), Is.All.Zero, "only a step that trains moves the state");
        MarginClassifier.Forward(new Tape(), Vectors.Views(device, 0), Vectors.Weights(device), Labels(device, [0, 1, 2, 0]), options, out _);
        Close.Assert(Samples.Read(state), [1.553857211, 0.046612902, 1], 1e-5, "state");
    }

    // A row whose angle is clipped has a loss but moves nothing by its target; qualities are constants to the gradient.
    [Test]
    public void AdaFace_gradients_match_differences([Values(1, 17)] int rows, [Values(3, 33)] int classes, [Values(5, 32)] int width)
    {
        int[] labels = [.. Enumerable.Range(0, rows).Select(i => i * 7 % classes)];
        float[] x = Samples.Normal(1, rows * width), w = Samples.Normal(2, classes * width, 0.2f);
        x.AsSpan(0, width).CopyTo(w); // The first row looks straight at its class.
        double[] lengths = [.. Enumerable.Range(0, rows).Select(i => Math.Sqrt(x.Skip(i * width).Take(width).Sum(v => (double)v * v)))];
        var margin = new { Mean = 3.0, Deviation = 0.5, H = 0.333 };
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("x", new Shape(rows, width), x), ("w", new Shape(classes, width), w)],
            (tape, v) => MarginClassifier.Forward(
                tape,
                v[0],
                v[1],
                Labels(device, labels),
                new MarginClassifierOptions
                {
                    Scale = 5,
                    Margin = 0.4f,
                    Adaptive = new AdaptiveMargin(Samples.Constant(device, new Shape(3), [3, 0.5f, 1])) { Rate = 1e-30f },
                },
                out _),
            v => [Weighed(v[0], v[1], width, labels, 5, null, (i, c) =>
            {
                double q = Math.Clamp((lengths[i] - margin.Mean) / (margin.Deviation + 1e-3) * margin.H, -1, 1);
                double theta = Math.Acos(Math.Clamp(c, -1 + 1e-3, 1 - 1e-3)) - (0.4f * q);
                return Math.Cos(Math.Clamp(theta, 1e-3, Math.PI - 1e-3)) - 0.4f - (0.4f * q);
            })]);
    }

    [Test]
    public void Mixed_labels_match_differences([Values] MarginKind kind, [Values(1, 17)] int rows, [Values(1, 33)] int classes)
    {
        const int width = 9;
        int[] own = [.. Enumerable.Range(0, rows).Select(i => i * 7 % classes)], second = [.. Enumerable.Range(0, rows).Select(i => i * 5 / 2 % classes)];
        float[] weights = [.. Enumerable.Range(0, rows).Select(i => 0.5f + (0.5f * i / rows))];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("x", new Shape(rows, width), Samples.Normal(1, rows * width)), ("w", new Shape(classes, width), Samples.Normal(2, classes * width, 0.2f))],
            (tape, v) => MarginClassifier.Forward(
                tape,
                v[0],
                v[1],
                Labels(device, own),
                new MarginClassifierOptions
                {
                    Kind = kind,
                    Scale = 5,
                    Margin = 0.3f,
                    Mix = new LabelMix(Labels(device, second), Samples.Constant(device, new Shape(rows), weights)),
                },
                out _),
            v =>
            [
                Weighed(v[0], v[1], width, own, 5, i => weights[i], (_, c) => LossReference.Margin(kind, 0.3f, c))
                + Weighed(v[0], v[1], width, second, 5, i => 1 - weights[i], (_, c) => LossReference.Margin(kind, 0.3f, c)),
            ]);
    }

    [Test]
    public void Gradients_match_differences([Values] MarginKind kind, [Values(1, 2, 17)] int rows, [Values(1, 16, 33)] int classes, [Values(5, 31, 32)] int width)
    {
        int[] labels = [.. Enumerable.Range(0, rows).Select(i => i * 7 % classes)];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("x", new Shape(rows, width), Samples.Normal(1, rows * width)), ("w", new Shape(classes, width), Samples.Normal(2, classes * width, 0.2f))],
            (tape, v) => MarginClassifier.Forward(tape, v[0], v[1], Labels(device, labels), kind, 5, 0.3f, out _),
            v => [LossReference.Classifier(v[0], v[1], width, labels, kind, 0.3f, 5)]);
    }

    // Sub-centres and the margin on the hardest others, alone and together, on all margins; more hard ones are asked for than there are classes.
    [Test]
    public void Several_centres_and_hard_classes_match_differences(
        [Values(MarginKind.None, MarginKind.AdditiveAngular)] MarginKind kind, [Values(1, 3)] int each, [Values(0, 1, 5)] int hard, [Values(1, 4, 17)] int classes)
    {
        const int width = 5, rows = 3;
        int[] labels = [.. Enumerable.Range(0, rows).Select(i => i * 7 % classes)];
        using var device = on.Open();
        var options = new MarginClassifierOptions { Kind = kind, Scale = 5, Margin = 0.3f, SubCentres = each, HardNegatives = hard, HardMargin = 0.2f };
        GradientCheck.Run(
            device,
            [("x", new Shape(rows, width), Samples.Normal(1, rows * width)), ("w", new Shape(classes * each, width), Samples.Normal(2, classes * each * width, 0.2f))],
            (tape, v) => MarginClassifier.Forward(tape, v[0], v[1], Labels(device, labels), options, out _),
            v => [SubCentred(v[0], v[1], width, labels, options)]);
    }

    [Test]
    public void Centres_that_are_not_the_nearest_get_no_gradient()
    {
        // Two classes of two centres; the row lies at the second centre of its own class and nearest to the first one of the other.
        using var device = on.Open(1);
        var x = Samples.Variable(device, new Shape(1, 2), [1, 0.2f]);
        var w = Samples.Variable(device, new Shape(4, 2), [-1, 0, 1, 0, 0, 1, 0, -1]);
        var tape = new Tape();
        var loss = MarginClassifier.Forward(tape, x, w, Labels(device, [0]), new MarginClassifierOptions { Scale = 4, SubCentres = 2 }, out var statistics);
        tape.Backward(loss);
        double length = Math.Sqrt(1.04), own = 1 / length, other = 0.2 / length;
        Close.Assert(Samples.Read(loss), [Math.Log(1 + Math.Exp(4 * (other - own)))], 1e-6, "loss");
        float[] gradient = Samples.Read(w.Grad!);
        Assert.That(gradient.AsSpan(0, 2).ToArray().Concat(gradient[6..]), Is.All.Zero);
        Assert.That(gradient[3], Is.Not.Zero);
        Assert.That(gradient[4], Is.Not.Zero);
        Close.Assert([statistics.MeanPositiveCosine, statistics.MeanNegativeCosine, statistics.TopOneRate], [own, other, 1], 1e-6, "statistics");
    }

    [Test]
    public void A_class_nearer_than_the_hard_margin_stays_harder_than_any_farther_one()
    {
        // At 0 and at 0.05 rad of the row, where the margin is 0.3 rad: c + 1 − cos m; the third class, at 90°, is none of the two hardest.
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(1, 2), [1, 0]);
        var w = Samples.Constant(device, new Shape(4, 2), [-1, 0, 1, 0, MathF.Cos(0.05f), MathF.Sin(0.05f), 0, 1]);
        var loss = MarginClassifier.Forward(
            null, x, w, Labels(device, [0]), new MarginClassifierOptions { Scale = 2, HardNegatives = 2, HardMargin = 0.3f }, out _);
        double lift = 1 - Math.Cos(0.3), sum = Math.Exp(2 * (1 + lift)) + Math.Exp(2 * (Math.Cos(0.05) + lift)) + 1;
        Close.Assert(Samples.Read(loss), [Math.Log(1 + (sum * Math.Exp(2)))], 1e-5, "loss");
    }

    [Test]
    public void One_centre_and_no_margin_on_others_is_the_plain_classifier()
    {
        using var device = on.Open();
        float[] x = Samples.Normal(1, 9 * 12), w = Samples.Normal(2, 21 * 12);
        int[] labels = [.. Enumerable.Range(0, 9).Select(i => i * 2)];
        float Loss(MarginClassifierOptions options) => Samples.Read(MarginClassifier.Forward(
            null, Samples.Constant(device, new Shape(9, 12), x), Samples.Constant(device, new Shape(21, 12), w), Labels(device, labels), options, out _))[0];
        var plain = new MarginClassifierOptions { Kind = MarginKind.AdditiveAngular };
        Assert.That(Loss(plain with { HardNegatives = 3, HardMargin = 0 }), Is.EqualTo(Loss(plain)).Within(1e-5));
    }

    [Test]
    public void The_angular_margin_falls_back_beyond_its_threshold()
    {
        // An embedding opposite its class: cos = -1 is below cos(π - m), so the logit is s (c - m sin(π - m)) with slope 1.
        using var device = on.Open(1);
        float[] x = [-1, 0.05f, 0.02f], w = [1, 0, 0, 0, 1, 0];
        GradientCheck.Run(
            device,
            [("x", new Shape(1, 3), x), ("w", new Shape(2, 3), w)],
            (tape, v) => MarginClassifier.Forward(tape, v[0], v[1], Labels(device, [0]), MarginKind.AdditiveAngular, 4, 0.5f, out _),
            v => [LossReference.Classifier(v[0], v[1], 3, [0], MarginKind.AdditiveAngular, 0.5f, 4)]);
    }

    [Test]
    public void Many_classes_and_rows_match_the_reference()
    {
        const int rows = 300, classes = 1500, width = 16;
        float[] x = Samples.Normal(1, rows * width), w = Samples.Normal(2, classes * width);
        int[] labels = [.. Enumerable.Range(0, rows).Select(i => i * 31 % classes)];
        using var device = on.Open();
        var loss = MarginClassifier.Forward(
            null, Samples.Constant(device, new Shape(rows, width), x), Samples.Constant(device, new Shape(classes, width), w),
            Labels(device, labels), MarginKind.AdditiveAngular, 30, 0.2f, out var statistics);

        double want = LossReference.Classifier(Samples.ToDouble(x), Samples.ToDouble(w), width, labels, MarginKind.AdditiveAngular, 0.2f, 30);
        Close.Assert(Samples.Read(loss), [want], 2e-5 * want, "loss");

        var (unitX, unitW) = (LossReference.UnitRows(Samples.ToDouble(x), width), LossReference.UnitRows(Samples.ToDouble(w), width));
        double hits = 0, own = 0, others = 0;
        for (int i = 0; i < rows; i++)
        {
            var cosines = unitW.Select(u => LossReference.Dot(unitX[i], u)).ToArray();
            hits += cosines.Max() == cosines[labels[i]] ? 1 : 0;
            own += cosines[labels[i]];
            others += (cosines.Sum() - cosines[labels[i]]) / (classes - 1);
        }

        Close.Assert(
            [statistics.MeanPositiveCosine, statistics.MeanNegativeCosine, statistics.TopOneRate], [own / rows, others / rows, hits / rows], 1e-6, "statistics");
    }

    [Test]
    public void Weight_gradients_are_added_to_what_is_there()
    {
        using var device = on.Open(1);
        var parameters = new ParameterSet(device);
        var weight = parameters.Add("weight", new Shape(3, 5), Initializer.XavierNormal(3, 5));
        parameters.Allocate(1);
        var tape = new Tape();
        var x = Samples.Constant(device, new Shape(4, 5), Samples.Normal(3, 20));
        var labels = Labels(device, [0, 1, 2, 0]);
        tape.Backward(MarginClassifier.Forward(tape, x, weight, labels, MarginKind.AdditiveAngular, 30, 0.2f));
        float[] once = Samples.Read(weight.Value.Grad!);
        tape.Clear();
        tape.Backward(MarginClassifier.Forward(tape, x, weight, labels, MarginKind.AdditiveAngular, 30, 0.2f));
        Assert.That(Samples.Read(weight.Value.Grad!), Is.EqualTo(once.Select(v => 2 * v)));
        Assert.That(once, Has.Some.Not.EqualTo(0f));
    }

    [Test]
    public void Thread_count_does_not_change_bits()
    {
        on.OneOrderIsEnough();
        Assert.That(Run(2), Is.EqualTo(Run(1)));

        float[] Run(int threads)
        {
            using var device = on.Open(threads);
            var x = Samples.Variable(device, new Shape(300, 65), Samples.Normal(1, 300 * 65));
            var w = Samples.Variable(device, new Shape(422, 65), Samples.Normal(2, 422 * 65));
            var tape = new Tape();
            var loss = MarginClassifier.Forward(tape, x, w, Labels(device, [.. Enumerable.Range(0, 300)]), MarginKind.Additive, 30, 0.2f, out _);
            tape.Backward(loss);
            return [.. Samples.Read(loss), .. Samples.Read(x.Grad!), .. Samples.Read(w.Grad!)];
        }
    }

    [Test]
    public void Steady_state_allocates_nothing()
    {
        on.OneOrderIsEnough();
        using var device = on.Open();
        var parameters = new ParameterSet(device);
        var x = parameters.Add("x", new Shape(64, 24), Initializer.XavierNormal(1, 1));
        var weight = parameters.Add("weight", new Shape(40, 24), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        var labels = device.AllocatePersistent(new Shape(64), ElementType.Int32);
        var mixed = new MarginClassifierOptions
        {
            Adaptive = new AdaptiveMargin(device.AllocatePersistent(new Shape(3))),
            Mix = new LabelMix(labels, device.AllocatePersistent(new Shape(64))),
        };
        var hard = new MarginClassifierOptions { SubCentres = 2, HardNegatives = 2 };
        var tape = new Tape();
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            parameters.ZeroGradients();
            tape.Backward(MarginClassifier.Forward(tape, x.Value.Slice(0, 1), weight, labels.Slice(0, 1), hard, out _));
            tape.Clear();
            tape.Backward(MarginClassifier.Forward(tape, x.Value, weight, labels, MarginKind.AdditiveAngular, 30, 0.2f));
            tape.Clear();
            tape.Backward(MarginClassifier.Forward(tape, x.Value, weight, labels, mixed, out _));
        });
    }

    [Test]
    public void NaN_reaches_loss_and_gradient()
    {
        using var device = on.Open(1);
        float[] values = Samples.Normal(1, 20);
        values[7] = float.NaN;
        var (x, w) = (Samples.Variable(device, new Shape(4, 5), values), Vectors.Weights(device));
        var tape = new Tape();
        var hard = MarginClassifier.Forward(null, x, w, Labels(device, [0, 1, 2, 0]), new MarginClassifierOptions { HardNegatives = 2 }, out _);
        Assert.That(Samples.Read(hard)[0], Is.NaN);
        hard = MarginClassifier.Forward(null, x, w, Labels(device, [0, 0, 0, 0]), new MarginClassifierOptions { SubCentres = 3 }, out _);
        Assert.That(Samples.Read(hard)[0], Is.NaN);
        var loss = MarginClassifier.Forward(tape, x, w, Labels(device, [0, 1, 2, 0]), MarginKind.AdditiveAngular, 30, 0.2f, out _);
        tape.Backward(loss);
        Assert.That(Samples.Read(loss)[0], Is.NaN);
        Assert.That(Samples.Read(w.Grad!), Has.All.NaN);
    }

    [Test]
    public void Wrong_arguments_are_named()
    {
        using var device = on.Open(1);
        var (x, w) = (Vectors.Views(device, 0), Vectors.Weights(device));
        Assert.Multiple(() =>
        {
            if (on.IsCuda)
            {
                // The labels lie on the device: looking at them would make the host wait in every step.
                Assert.That(Samples.Read(Run([0, 1, 3, 0], 30, 0.2f))[0], Is.NaN);
                Assert.That(Samples.Read(Run([0, 1, -1, 0], 30, 0.2f))[0], Is.NaN);
            }
            else
            {
                Assert.That(() => Run([0, 1, 3, 0], 30, 0.2f), Throws.TypeOf<ShapeException>().With.Message.Contains("Label 3 of row 2"));
                Assert.That(() => Run([0, 1, -1, 0], 30, 0.2f), Throws.TypeOf<ShapeException>().With.Message.Contains("Label -1"));
            }

            Assert.That(() => Run([0, 1], 30, 0.2f), Throws.TypeOf<ShapeException>().With.Message.Contains("4 labels"));
            Assert.That(() => Run([0, 1, 2, 0], 0, 0.2f), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("scale"));
            var adaptive = new AdaptiveMargin(device.Workspace.Rent(new Shape(2)));
            Assert.That(() => RunWith(new MarginClassifierOptions { Adaptive = adaptive }), Throws.TypeOf<ShapeException>().With.Message.Contains("3 elements"));
            Assert.That(() => RunWith(new MarginClassifierOptions { Adaptive = adaptive with { Rate = 0 } }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("rate 0"));
            Assert.That(
                () => RunWith(new MarginClassifierOptions { Mix = new LabelMix(Labels(device, [0, 1, 2, 0]), device.Workspace.Rent(new Shape(3))) }),
                Throws.TypeOf<ShapeException>().With.Message.Contains("4 mixed rows"));
            Assert.That(() => RunWith(new MarginClassifierOptions { SubCentres = 2 }), Throws.TypeOf<ShapeException>().With.Message.Contains("2 sub-centres"));
            Assert.That(() => RunWith(new MarginClassifierOptions { SubCentres = 65 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("65 sub-centres"));
            Assert.That(() => RunWith(new MarginClassifierOptions { HardNegatives = -1 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("-1 hard negatives"));
            Assert.That(
                () => RunWith(new MarginClassifierOptions { HardNegatives = 1, HardMargin = 2 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("hard margin = 2"));
            if (on.IsCuda)
            {
                Assert.That(Samples.Read(MarginClassifier.Forward(null, x, w, Labels(device, [0, 1, 3, 0]), new MarginClassifierOptions { HardNegatives = 1 }, out _))[0], Is.NaN);
            }
            else
            {
                Assert.That(
                    () => MarginClassifier.Forward(null, x, w, Labels(device, [0, 1, 1, 0]), new MarginClassifierOptions { SubCentres = 3 }, out _),
                    Throws.TypeOf<ShapeException>().With.Message.Contains("one of the 1 classes"));
            }

            Assert.That(() => Run([0, 1, 2, 0], 30, 3f), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("margin = 3"));
        });

        Tensor RunWith(MarginClassifierOptions options) => MarginClassifier.Forward(null, x, w, Labels(device, [0, 1, 2, 0]), options, out _);

        Tensor Run(int[] labels, float scale, float margin) =>
            MarginClassifier.Forward(null, x, w, Labels(device, labels), MarginKind.Additive, scale, margin, out _);
    }

    // By the definition: a class is as near as its nearest centre, and the hardest others are moved nearer.
    private static double SubCentred(double[] x, double[] w, int width, int[] labels, MarginClassifierOptions options)
    {
        var (rows, centres) = (LossReference.UnitRows(x, width), LossReference.UnitRows(w, width));
        int classes = centres.Length / options.SubCentres;
        double total = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            double[] cosines = [.. Enumerable.Range(0, classes).Select(k => centres.Skip(k * options.SubCentres).Take(options.SubCentres).Max(c => LossReference.Dot(rows[i], c)))];
            int[] hardest = [.. Enumerable.Range(0, classes).Where(k => k != labels[i]).OrderByDescending(k => cosines[k]).Take(options.HardNegatives)];
            double[] logits = [.. cosines.Select((c, k) => options.Scale * (k == labels[i] ? LossReference.Margin(options.Kind, options.Margin, c)
                : !hardest.Contains(k) ? c
                : c >= Math.Cos(options.HardMargin) ? c + 1 - Math.Cos(options.HardMargin)
                : Math.Cos(Math.Acos(Math.Clamp(c, -1, 1)) - options.HardMargin)))];
            double highest = logits.Max();
            total += highest + Math.Log(logits.Sum(l => Math.Exp(l - highest))) - logits[labels[i]];
        }

        return total / rows.Length;
    }

    // Σ weight · cross-entropy / N, with any φ of row and cosine on the label's cosine.
    private static double Weighed(double[] x, double[] w, int width, int[] labels, double scale, Func<int, double>? weight, Func<int, double, double> margin)
    {
        var (rows, classes) = (LossReference.UnitRows(x, width), LossReference.UnitRows(w, width));
        double total = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            double[] logits = [.. classes.Select((c, k) => scale * (k == labels[i] ? margin(i, LossReference.Dot(rows[i], c)) : LossReference.Dot(rows[i], c)))];
            double highest = logits.Max();
            total += (weight?.Invoke(i) ?? 1) * (highest + Math.Log(logits.Sum(l => Math.Exp(l - highest))) - logits[labels[i]]);
        }

        return total / rows.Length;
    }

    private static IEnumerable<TestCaseData> GoldenCases() => Golden.Cases("softmax_cosine", "am_softmax", "aam_softmax");

    private static Tensor Labels(Device device, int[] labels)
    {
        var tensor = device.Workspace.Rent(new Shape(labels.Length), ElementType.Int32);
        tensor.CopyIntsFrom(labels);
        return tensor;
    }
}
