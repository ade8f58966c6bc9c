using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class OneClassSoftmaxTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "oc_softmax_binary", "oc_softmax_multi" } })]
    public void Equals_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = on.Open();
        var (x, w) = (g.Input("x"), g.Input("w"));
        var embeddings = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[1]), x.ToSingle());
        var weight = Samples.Variable(device, new Shape(w.Shape[0], w.Shape[1]), w.ToSingle());

        // The binary form has one class and rows that are not of it, labelled 1.
        int[] labels = g.Input("labels").ToInt32();
        if (g.Op == "oc_softmax_binary")
        {
            labels = [.. labels.Select(l => -l)];
        }

        var options = new OneClassOptions
        {
            TargetCosine = (float)g.Number("r_real"),
            OtherCosine = (float)g.Number("r_fake"),
            Scale = (float)g.Number("alpha"),
            Reduction = OneClassReduction.MeanAll,
        };
        var tape = new Tape();
        var loss = OneClassSoftmax.Forward(tape, embeddings, weight, Labels(device, labels), options, out _);
        tape.Backward(loss);
        g.AssertOutput("loss", Samples.Read(loss));
        g.AssertOutput("grad_x", Samples.Read(embeddings.Grad!));
        g.AssertOutput("grad_w", Samples.Read(weight.Grad!));
    }

    // methods.md section 18: the own class plus the mean over the two others.
    [Test]
    public void Equals_the_closed_form_vector()
    {
        using var device = on.Open(1);
        var loss = OneClassSoftmax.Forward(null, Vectors.Views(device, 0), Vectors.Weights(device), Labels(device, [0, 1, 2, 0]), new OneClassOptions(), out _);
        Close.Assert(Samples.Read(loss), [8.782231752], 1e-6 * 8.8, "loss");
    }

    [Test]
    public void Gradients_match_differences(
        [Values(0, 1, 6)] int hardest, [Values(1, 17)] int rows, [Values(1, 33)] int classes, [Values(5, 32)] int width)
    {
        // 0 stands for the mean over all.
        var reduction = hardest == 0 ? OneClassReduction.MeanAll : OneClassReduction.TargetPlusHardest;
        int[] labels = [.. Enumerable.Range(0, rows).Select(i => (i * 7 % (classes + 1)) - 1)];
        var options = new OneClassOptions { Scale = 3, TargetCosine = 0.7f, OtherCosine = 0.1f, Reduction = reduction, Hardest = Math.Max(1, hardest) };
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("x", new Shape(rows, width), Samples.Normal(1, rows * width)), ("w", new Shape(classes, width), Samples.Normal(2, classes * width, 0.2f))],
            (tape, v) => OneClassSoftmax.Forward(tape, v[0], v[1], Labels(device, labels), options, out _),
            v => [Reference(v[0], v[1], width, labels, options)]);
    }

    [Test]
    public void Mixed_labels_match_differences([Values(0, 1, 6)] int hardest, [Values(1, 17)] int rows, [Values(2, 33)] int classes)
    {
        const int width = 9;
        int[] own = [.. Enumerable.Range(0, rows).Select(i => i * 7 % classes)], second = [.. Enumerable.Range(0, rows).Select(i => i * 5 / 2 % classes)];
        float[] weights = [.. Enumerable.Range(0, rows).Select(i => 0.5f + (0.5f * i / rows))];
        var options = new OneClassOptions
        {
            Scale = 3,
            TargetCosine = 0.7f,
            OtherCosine = 0.1f,
            Hardest = Math.Max(1, hardest),
            Reduction = hardest == 0 ? OneClassReduction.MeanAll : OneClassReduction.TargetPlusHardest,
        };
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("x", new Shape(rows, width), Samples.Normal(1, rows * width)), ("w", new Shape(classes, width), Samples.Normal(2, classes * width, 0.2f))],
            (tape, v) => OneClassSoftmax.Forward(
                tape, v[0], v[1], Labels(device, own),
                options with { Mix = new LabelMix(Labels(device, second), Samples.Constant(device, new Shape(rows), weights)) }, out _),
            v => [Reference(v[0], v[1], width, own, options, i => weights[i]) + Reference(v[0], v[1], width, second, options, i => 1 - weights[i])]);
    }

    [Test]
    public void Many_rows_and_classes_match_the_reference()
    {
        const int rows = 261, classes = 70, width = 16;
        float[] x = Samples.Normal(1, rows * width), w = Samples.Normal(2, classes * width);
        int[] labels = [.. Enumerable.Range(0, rows).Select(i => i * 31 % classes)];
        using var device = on.Open();
        var options = new OneClassOptions();
        var loss = OneClassSoftmax.Forward(
            null, Samples.Constant(device, new Shape(rows, width), x), Samples.Constant(device, new Shape(classes, width), w), Labels(device, labels), options,
            out var statistics);
        double want = Reference(Samples.ToDouble(x), Samples.ToDouble(w), width, labels, options);
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

    // Of equal cosines the lower classes are the hardest: the gradient tells which were taken.
    [Test]
    public void Of_equal_classes_the_first_are_the_hardest()
    {
        using var device = on.Open();
        float[] classes = [1, 0, 0.6f, 0.8f, 0.6f, 0.8f, 0.6f, 0.8f, 0.6f, 0.8f];
        var weight = Samples.Variable(device, new Shape(5, 2), classes);
        var tape = new Tape();
        tape.Backward(OneClassSoftmax.Forward(
            tape, Samples.Constant(device, new Shape(1, 2), [1, 0.1f]), weight, Labels(device, [0]), new OneClassOptions { Hardest = 2 }, out _));
        float[] gradient = Samples.Read(weight.Grad!);
        Assert.That(gradient[2..6], Has.All.Not.Zero);
        Assert.That(gradient[6..], Has.All.Zero);
    }

    [Test]
    public void NaN_reaches_loss_and_gradient([Values] OneClassReduction reduction)
    {
        using var device = on.Open(1);
        float[] values = Samples.Normal(1, 20);
        values[7] = float.NaN;
        var (x, w) = (Samples.Variable(device, new Shape(4, 5), values), Vectors.Weights(device));
        var tape = new Tape();
        var loss = OneClassSoftmax.Forward(tape, x, w, Labels(device, [0, 1, 2, 0]), new OneClassOptions { Reduction = reduction }, out _);
        tape.Backward(loss);
        Assert.That(Samples.Read(loss)[0], Is.NaN);
        Assert.That(Samples.Read(w.Grad!), Has.All.NaN);
    }

    [Test]
    public void Thread_count_does_not_change_bits()
    {
        on.OneOrderIsEnough();
        Assert.That(Run(2), Is.EqualTo(Run(1)));

        float[] Run(int threads)
        {
            using var device = on.Open(threads);
            var x = Samples.Variable(device, new Shape(37, 65), Samples.Normal(1, 37 * 65));
            var w = Samples.Variable(device, new Shape(101, 65), Samples.Normal(2, 101 * 65));
            var tape = new Tape();
            var loss = OneClassSoftmax.Forward(tape, x, w, Labels(device, [.. Enumerable.Range(0, 37)]), new OneClassOptions { Hardest = 5 }, out _);
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
        var x = parameters.Add("x", new Shape(9, 24), Initializer.XavierNormal(1, 1));
        var weight = parameters.Add("weight", new Shape(20, 24), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        var labels = device.AllocatePersistent(new Shape(9), ElementType.Int32);
        var (tape, options) = (new Tape(), new OneClassOptions { Hardest = 3 });
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            parameters.ZeroGradients();
            tape.Backward(OneClassSoftmax.Forward(tape, x.Value, weight, labels, options));
        });
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
                Assert.That(Samples.Read(Run([0, 1, 3, 0], new OneClassOptions()))[0], Is.NaN);
                Assert.That(Samples.Read(Run([0, 1, -2, 0], new OneClassOptions()))[0], Is.NaN);
            }
            else
            {
                Assert.That(() => Run([0, 1, 3, 0], new OneClassOptions()), Throws.TypeOf<ShapeException>().With.Message.Contains("Label 3 of row 2"));
                Assert.That(() => Run([0, 1, -2, 0], new OneClassOptions()), Throws.TypeOf<ShapeException>().With.Message.Contains("Label -2"));
            }

            Assert.That(() => Run([0, 1], new OneClassOptions()), Throws.TypeOf<ShapeException>().With.Message.Contains("4 labels"));
            Assert.That(() => Run([0, 1, 2, 0], new OneClassOptions { Scale = 0 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("scale 0"));
            Assert.That(() => Run([0, 1, 2, 0], new OneClassOptions { Hardest = 0 }), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("0 hardest"));
        });

        Tensor Run(int[] labels, OneClassOptions options) => OneClassSoftmax.Forward(null, x, w, Labels(device, labels), options, out _);
    }

    private static double Reference(double[] x, double[] w, int width, int[] labels, OneClassOptions options, Func<int, double>? weight = null)
    {
        var (rows, classes) = (LossReference.UnitRows(x, width), LossReference.UnitRows(w, width));
        double total = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            double own = 0;
            var others = new List<double>();
            for (int k = 0; k < classes.Length; k++)
            {
                double c = LossReference.Dot(rows[i], classes[k]);
                if (k == labels[i])
                {
                    own = Math.Log(1 + Math.Exp(options.Scale * (options.TargetCosine - c)));
                }
                else
                {
                    others.Add(Math.Log(1 + Math.Exp(options.Scale * (c - options.OtherCosine))));
                }
            }

            total += (weight?.Invoke(i) ?? 1) * (options.Reduction == OneClassReduction.MeanAll
                ? (own + others.Sum()) / classes.Length
                : own + others.OrderDescending().Take(options.Hardest).DefaultIfEmpty(0).Average());
        }

        return total / rows.Length;
    }

    private static Tensor Labels(Device device, int[] labels)
    {
        var tensor = device.Workspace.Rent(new Shape(labels.Length), ElementType.Int32);
        tensor.CopyIntsFrom(labels);
        return tensor;
    }
}
