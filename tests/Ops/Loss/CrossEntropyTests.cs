using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class CrossEntropyTests(TestDevice on)
{
    [Test]
    public void Equal_logits_cost_the_logarithm_of_the_classes()
    {
        using var device = on.Open();
        var loss = CrossEntropy.Forward(null, Samples.Constant(device, new Shape(3, 37), LayerCheck.Constant(111, 50f)), Labels(device, [0, 5, 36]));
        Close.Assert(Samples.Read(loss), [Math.Log(37)], 1e-6, "loss");
    }

    [Test]
    public void Gradients_match_differences([Values(1, 2, 9)] int rows, [Values(1, 15, 16, 33, 300)] int classes, [Values] bool mixed)
    {
        int[] own = [.. Enumerable.Range(0, rows).Select(i => i * 7 % classes)], second = [.. Enumerable.Range(0, rows).Select(i => i * 5 / 2 % classes)];
        float[] weights = [.. Enumerable.Range(0, rows).Select(i => 0.5f + (0.5f * i / rows))];
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("logits", new Shape(rows, classes), Samples.Normal(1, rows * classes, 3f))],
            (tape, v) => CrossEntropy.Forward(tape, v[0], Labels(device, own), mixed ? Mix(device, second, weights) : null),
            v => [Reference(v[0], classes, own, mixed ? second : own, mixed ? weights : null)]);
    }

    [Test]
    public void Without_labels_row_i_is_of_class_i()
    {
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [("logits", new Shape(5, 7), Samples.Normal(1, 35))],
            (tape, v) => CrossEntropy.Forward(tape, v[0], null),
            v => [Reference(v[0], 7, [0, 1, 2, 3, 4], [0, 1, 2, 3, 4], null)]);
    }

    [Test]
    public void Large_logits_lose_no_digits_and_hits_are_counted()
    {
        using var device = on.Open();
        float[] logits = [1000f, 999f, -1000f, 3f, 3f, 2.5f];
        var loss = CrossEntropy.Forward(null, Samples.Constant(device, new Shape(2, 3), logits), Labels(device, [1, 0]), null, out var accuracy);
        Close.Assert(Samples.Read(loss), [Reference(Samples.ToDouble(logits), 3, [1, 0], [1, 0], null)], 1e-6, "loss");
        Assert.That(Samples.Read(accuracy)[0], Is.EqualTo(0.5f));
    }

    [Test]
    public void Views_keep_their_neighbours_and_gradients_add_up()
    {
        using var device = on.Open();
        var wide = Samples.Variable(device, new Shape(4, 40), Samples.Normal(1, 160));
        var (view, labels, tape) = (wide.Channels(3, 33), Labels(device, [0, 32, 5, 16]), new Tape());
        var copy = Samples.Variable(device, new Shape(4, 33), Samples.Read(view));
        tape.Backward(CrossEntropy.Forward(tape, copy, labels));
        for (int i = 0; i < 2; i++)
        {
            tape.Clear();
            tape.Backward(CrossEntropy.Forward(tape, view, labels));
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
        Assert.That(Samples.Read(CrossEntropy.Forward(null, Samples.Constant(device, new Shape(2, 40), logits), Labels(device, [1, 2])))[0], Is.NaN);
    }

    [Test]
    public void Steady_state_allocates_nothing()
    {
        on.OneOrderIsEnough();
        using var device = on.Open();
        var set = new ParameterSet(device);
        var logits = set.Add("logits", new Shape(9, 20), Initializer.XavierNormal(1, 1));
        set.Allocate(1);
        var (labels, second) = (device.AllocatePersistent(new Shape(9), ElementType.Int32), device.AllocatePersistent(new Shape(9), ElementType.Int32));
        var (weights, tape) = (device.AllocatePersistent(new Shape(9)), new Tape());
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            set.ZeroGradients();
            tape.Backward(CrossEntropy.Forward(tape, logits.Value, labels, new LabelMix(second, weights)));
        });
    }

    [Test]
    public void Wrong_arguments_are_named()
    {
        using var device = on.Open(1);
        var logits = Samples.Constant(device, new Shape(4, 3), Samples.Normal(1, 12));
        var good = Labels(device, [0, 1, 2, 0]);
        Assert.Multiple(() =>
        {
            if (on.IsCuda)
            {
                Assert.That(Samples.Read(CrossEntropy.Forward(null, logits, Labels(device, [0, 1, 3, 0])))[0], Is.NaN);
                Assert.That(Samples.Read(CrossEntropy.Forward(null, logits, good, Mix(device, [0, -1, 2, 0], [1, 1, 1, 1])))[0], Is.NaN);
            }
            else
            {
                Assert.That(() => CrossEntropy.Forward(null, logits, Labels(device, [0, 1, 3, 0])), Throws.TypeOf<ShapeException>().With.Message.Contains("Label 3 of row 2"));
                Assert.That(() => CrossEntropy.Forward(null, logits, good, Mix(device, [0, -1, 2, 0], [1, 1, 1, 1])), Throws.TypeOf<ShapeException>().With.Message.Contains("Label -1"));
            }

            Assert.That(() => CrossEntropy.Forward(null, logits, null), Throws.TypeOf<ShapeException>().With.Message.Contains("more rows than classes"));
            Assert.That(() => CrossEntropy.Forward(null, logits, Labels(device, [0])), Throws.TypeOf<ShapeException>().With.Message.Contains("4 labels"));
            Assert.That(() => CrossEntropy.Forward(null, logits, good, Mix(device, [0, 1, 2, 0], [1])), Throws.TypeOf<ShapeException>().With.Message.Contains("as many weights"));
        });
    }

    // The gradients of COLA: dg = G g' Wᵀ, dg' = Gᵀ g W, dW = gᵀ G g'.
    [TestCase(3, 3, 5, 5)]
    [TestCase(4, 6, 9, 7)]
    public void A_bilinear_contrast_matches_differences(int rows, int keys, int width, int keyWidth)
    {
        using var device = on.Open();
        LayerCheck.Run(
            device,
            [("g", new Shape(rows, width), Samples.Normal(1, rows * width)), ("g'", new Shape(keys, keyWidth), Samples.Normal(2, keys * keyWidth))],
            [("W", new Shape(width, keyWidth), Samples.Normal(3, width * keyWidth, 0.3f))],
            (tape, v, p) => BilinearContrast.Forward(tape, v[0], v[1], p[0]),
            v =>
            {
                var logits = new double[rows * keys];
                for (int i = 0; i < logits.Length; i++)
                {
                    for (int d = 0; d < width; d++)
                    {
                        for (int e = 0; e < keyWidth; e++)
                        {
                            logits[i] += v[0][(i / keys * width) + d] * v[2][(d * keyWidth) + e] * v[1][(i % keys * keyWidth) + e];
                        }
                    }
                }

                int[] own = [.. Enumerable.Range(0, rows)];
                return [Reference(logits, keys, own, own, null)];
            });
    }

    [Test]
    public void A_bilinear_contrast_names_misfits()
    {
        using var device = on.Open(1);
        var p = LayerCheck.Parameters(device, ("W", new Shape(3, 4), new float[12]));
        var (g, other) = (device.Workspace.Rent(new Shape(2, 3)), device.Workspace.Rent(new Shape(2, 3)));
        Assert.That(() => BilinearContrast.Forward(null, g, other, p[0]), Throws.TypeOf<ShapeException>().With.Message.Contains("weight [D, E]"));
    }

    private static double Reference(double[] logits, int classes, int[] own, int[] second, float[]? weights)
    {
        double total = 0;
        for (int i = 0; i < own.Length; i++)
        {
            var row = logits.AsSpan(i * classes, classes).ToArray();
            double weight = weights?[i] ?? 1, highest = row.Max();
            total += highest + Math.Log(row.Sum(l => Math.Exp(l - highest))) - (weight * row[own[i]]) - ((1 - weight) * row[second[i]]);
        }

        return total / own.Length;
    }

    private static LabelMix Mix(Device device, int[] second, float[] weights) =>
        new(Labels(device, second), Samples.Constant(device, new Shape(weights.Length), weights));

    private static Tensor Labels(Device device, int[] labels)
    {
        var tensor = device.Workspace.Rent(new Shape(labels.Length), ElementType.Int32);
        tensor.CopyIntsFrom(labels);
        return tensor;
    }
}
