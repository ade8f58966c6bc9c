using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Loss;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Loss;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class NtXentTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(NtXentTests), nameof(GoldenCases))]
    public void Equals_PyTorch(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        using var device = on.Open();
        var (z1, z2) = (g.Input("z1"), g.Input("z2"));
        var shape = new Shape(z1.Shape[0], z1.Shape[1]);
        var (a, b) = (Samples.Variable(device, shape, z1.ToSingle()), Samples.Variable(device, shape, z2.ToSingle()));
        var tape = new Tape();

        var loss = NtXent.Forward(
            tape, a, b, (float)g.Number("temperature"), g.Flag("symmetric"), Kind(g.Text("margin_kind")), (float)g.Number("margin"));
        tape.Backward(loss);

        g.AssertOutput("loss", Samples.Read(loss));
        g.AssertOutput("grad_z1", Samples.Read(a.Grad!));
        g.AssertOutput("grad_z2", Samples.Read(b.Grad!));
    }

    // methods.md section 18: published to 9 decimals.
    [TestCase(false, MarginKind.None, 0f, 0.010352474)]
    [TestCase(true, MarginKind.None, 0f, 0.010387410)]
    [TestCase(false, MarginKind.Additive, 0.1f, 0.027606512)]
    [TestCase(true, MarginKind.Additive, 0.1f, 0.027711692)]
    [TestCase(true, MarginKind.AdditiveAngular, 0.1f, 0.019313082)]
    public void Equals_closed_form_vectors(bool symmetric, MarginKind kind, float margin, double want)
    {
        using var device = on.Open(1);
        var loss = NtXent.Forward(null, Vectors.Views(device, 0), Vectors.Views(device, 1), 0.1f, symmetric, kind, margin);
        Close.Assert(Samples.Read(loss), [want], 1e-6, "loss");
    }

    [Test]
    public void Gradients_match_differences(
        [Values] bool symmetric,
        [Values] MarginKind kind,
        [Values(1, 2, 5, 17)] int pairs,
        [Values(1, 31, 33)] int width,
        [Values] bool labelled)
    {
        using var device = on.Open();
        var shape = new Shape(pairs, width);
        int[] labels = labelled ? [.. Enumerable.Range(0, pairs).Select(i => i % 3 == 2 ? -1 : i % 2)] : [];

        // Away from width 1, where every cosine is ±1 and the angular margin has a corner.
        float margin = kind == MarginKind.AdditiveAngular && width == 1 ? 0f : 0.2f;
        GradientCheck.Run(
            device,
            [("z1", shape, Samples.Normal(1, shape.Count)), ("z2", shape, Samples.Normal(2, shape.Count, 3f))],
            (tape, v) => NtXent.Forward(tape, v[0], v[1], 0.5f, symmetric, kind, margin, labels),
            v => [LossReference.NtXent(v[0], v[1], width, 0.5f, symmetric, kind, margin, labelled ? labels : null)]);
    }

    // Around and beyond one tile of 128 anchors and one block of 512, at both sides of the temperature where one shift serves all rows.
    [TestCase(64, 0.03f)]
    [TestCase(65, 0.03f)]
    [TestCase(127, 0.1f)]
    [TestCase(150, 0.01f)]
    [TestCase(150, 0.025f)]
    [TestCase(200, 0.002f)]
    [TestCase(300, 0.05f)]
    public void Symmetric_matches_reference_across_tiles(int pairs, float temperature)
    {
        const int width = 24;
        int[] labels = [.. Enumerable.Range(0, pairs).Select(i => i / 4)];
        using var device = on.Open();
        float[] x = Samples.Normal(3, pairs * width), y = [.. Samples.Normal(4, pairs * width).Zip(x, (e, v) => v + e)];
        var shape = new Shape(pairs, width);
        foreach (int[] mask in new[] { [], labels })
        {
            var (a, b) = (Samples.Variable(device, shape, x), Samples.Variable(device, shape, y));
            var tape = new Tape();
            var loss = NtXent.Forward(tape, a, b, temperature, symmetric: true, MarginKind.Additive, 0.1f, mask, out var statistics);
            tape.Backward(loss);
            double Reference(double[][] v) =>
                LossReference.NtXent(v[0], v[1], width, temperature, true, MarginKind.Additive, 0.1f, mask.Length == 0 ? null : mask);
            double[][] values = [Samples.ToDouble(x), Samples.ToDouble(y)];
            double want = Reference(values);
            Close.Assert(Samples.Read(loss), [want], 2e-5 * Math.Max(want, 1e-3), "loss");

            // Directional differences along a few rows: all rows would cost an hour.
            foreach (int element in new[] { 0, (3 * width) + 5, (63 * width) + 1, ((pairs - 1) * width) + 23 })
            {
                foreach (int side in new[] { 0, 1 })
                {
                    double kept = values[side][element];
                    values[side][element] = kept + 1e-5;
                    double above = Reference(values);
                    values[side][element] = kept - 1e-5;
                    double below = Reference(values);
                    values[side][element] = kept;
                    var gradient = Samples.Read((side == 0 ? a : b).Grad!);
                    double scale = gradient.Max(Math.Abs);
                    Assert.That(gradient[element], Is.EqualTo((above - below) / 2e-5).Within(Tolerance.Gradient * scale), $"element {element} of view {side + 1}");
                }
            }

            AssertStatistics(values, width, mask, statistics);
        }
    }

    [Test]
    public void Views_of_one_tensor_collect_its_gradient()
    {
        using var device = on.Open();
        const int pairs = 9, width = 20;
        float[] values = Samples.Normal(5, 2 * pairs * width);
        var whole = Samples.Variable(device, new Shape(2 * pairs, width), values);
        var tape = new Tape();
        tape.Backward(NtXent.Forward(tape, whole.Slice(0, pairs), whole.Slice(pairs, pairs), 0.1f, true, MarginKind.None, 0));

        var (a, b) = (Samples.Variable(device, new Shape(pairs, width), values.AsSpan(0, pairs * width)),
            Samples.Variable(device, new Shape(pairs, width), values.AsSpan(pairs * width)));
        tape.Clear();
        tape.Backward(NtXent.Forward(tape, a, b, 0.1f, true, MarginKind.None, 0));

        float[] apart = [.. Samples.Read(a.Grad!), .. Samples.Read(b.Grad!)];
        Assert.That(Samples.Read(whole.Grad!), Is.EqualTo(apart));
    }

    [Test]
    public void Zero_rows_have_the_gradient_of_the_floor()
    {
        // PyTorch's normalize divides by max(norm, 1e-12), and below the floor its derivative has no projection term.
        using var device = on.Open(1);
        float[] x = Samples.Normal(6, 4 * 8), y = Samples.Normal(7, 4 * 8);
        x.AsSpan(0, 8).Clear();
        var (a, b) = (Samples.Variable(device, new Shape(4, 8), x), Samples.Variable(device, new Shape(4, 8), y));
        var tape = new Tape();
        tape.Backward(NtXent.Forward(tape, a, b, 0.5f, false, MarginKind.None, 0));

        // dL/dû of a zero row: all four logits are 0, so p = 1/4.
        var keys = LossReference.UnitRows(Samples.ToDouble(y), 8);
        var want = new double[8];
        for (int d = 0; d < 8; d++)
        {
            for (int j = 0; j < 4; j++)
            {
                want[d] += (0.25 - (j == 0 ? 1 : 0)) * keys[j][d] / (0.5 * 4) / 1e-12;
            }
        }

        Close.Assert(Samples.Read(a.Grad!).AsSpan(0, 8), want, 1e-5 * want.Max(Math.Abs), "gradient of the zero row");
    }

    [Test]
    public void A_single_pair_has_loss_and_gradient_zero([Values] bool symmetric)
    {
        using var device = on.Open(1);
        var (a, b) = (Samples.Variable(device, new Shape(1, 3), [1, 2, 3]), Samples.Variable(device, new Shape(1, 3), [3, -1, 2]));
        var tape = new Tape();
        var loss = NtXent.Forward(tape, a, b, 0.03f, symmetric, MarginKind.Additive, 0.1f, default, out var statistics);
        tape.Backward(loss);
        Assert.Multiple(() =>
        {
            Assert.That(Samples.Read(loss), Is.EqualTo(new float[1]));
            Assert.That(Samples.Read(a.Grad!), Is.EqualTo(new float[3]));
            Assert.That(statistics.TopOneRate, Is.EqualTo(1f));
            Assert.That(statistics.MeanNegativeCosine, Is.NaN);
        });
    }

    [Test]
    public void NaN_reaches_loss_and_gradient([Values] bool symmetric, [Values(0.03f, 0.005f)] float temperature, [Values(0, 70)] int row)
    {
        using var device = on.Open();
        float[] x = Samples.Normal(8, 150 * 8);
        x[(row * 8) + 3] = float.NaN;
        var (a, b) = (Samples.Variable(device, new Shape(150, 8), x), Samples.Variable(device, new Shape(150, 8), Samples.Normal(9, 150 * 8)));
        var tape = new Tape();
        var loss = NtXent.Forward(tape, a, b, temperature, symmetric, MarginKind.None, 0);
        tape.Backward(loss);
        Assert.That(Samples.Read(loss)[0], Is.NaN);
        Assert.That(Samples.Read(a.Grad!)[row * 8], Is.NaN);
    }

    [Test]
    public void Thread_count_does_not_change_bits([Values] bool symmetric)
    {
        on.OneOrderIsEnough();
        Assert.That(Run(2), Is.EqualTo(Run(1)));
        Assert.That(Run(5), Is.EqualTo(Run(1)));

        float[] Run(int threads)
        {
            using var device = on.Open(threads);
            var shape = new Shape(333, 65);
            var (a, b) = (Samples.Variable(device, shape, Samples.Normal(10, shape.Count)), Samples.Variable(device, shape, Samples.Normal(11, shape.Count)));
            var tape = new Tape();
            var loss = NtXent.Forward(tape, a, b, 0.1f, symmetric, MarginKind.AdditiveAngular, 0.1f, default, out var statistics);
            tape.Backward(loss);
            return
            [
                .. Samples.Read(loss), .. Samples.Read(a.Grad!), .. Samples.Read(b.Grad!),
                statistics.MeanPositiveCosine, statistics.MeanNegativeCosine, statistics.TopOneRate,
            ];
        }
    }

    [Test]
    public void Steady_state_allocates_nothing([Values] bool symmetric)
    {
        on.OneOrderIsEnough();
        using var device = on.Open();
        var parameters = new ParameterSet(device);
        // Small: the test host allocates a little every second on its own threads.
        var views = parameters.Add("views", new Shape(72, 24), Initializer.XavierNormal(1, 1));
        parameters.Allocate(1);
        int[] labels = [.. Enumerable.Range(0, 36).Select(i => i / 3)];
        var tape = new Tape();
        float sink = 0;
        Allocations.AssertNone(() =>
        {
            device.Workspace.Reset();
            tape.Clear();
            parameters.ZeroGradients();
            var (a, b) = (views.Value.Slice(0, 36), views.Value.Slice(36, 36));
            var loss = NtXent.Forward(tape, a, b, 0.1f, symmetric, MarginKind.Additive, 0.1f, labels, out var statistics);
            tape.Backward(loss);
            sink += statistics.MeanPositiveCosine + statistics.MeanNegativeCosine + statistics.TopOneRate;
        });
        Assert.That(sink, Is.Not.NaN);
    }

    [Test]
    public void Wrong_arguments_are_named()
    {
        using var device = on.Open(1);
        var (a, b) = (device.Workspace.Rent(new Shape(4, 8)), device.Workspace.Rent(new Shape(5, 8)));
        Assert.Multiple(() =>
        {
            Assert.That(() => NtXent.Forward(null, a, b, 0.1f, true, MarginKind.None, 0), Throws.TypeOf<ShapeException>().With.Message.Contains("[5, 8]"));
            Assert.That(() => NtXent.Forward(null, a, a, 0f, true, MarginKind.None, 0), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("temperature"));
            Assert.That(() => NtXent.Forward(null, a, a, float.NaN, true, MarginKind.None, 0), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => NtXent.Forward(null, a, a, 1f, true, MarginKind.Additive, -0.1f), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("margin = -0.1"));
            Assert.That(() => NtXent.Forward(null, a, a, 1f, true, MarginKind.AdditiveAngular, 2f), Throws.TypeOf<InvalidOptionException>());
            Assert.That(() => NtXent.Forward(null, a, a, 1f, true, MarginKind.None, 0, [1, 2, 3]), Throws.TypeOf<ShapeException>().With.Message.Contains("4 labels"));
        });
    }

    private static IEnumerable<TestCaseData> GoldenCases() => Golden.Cases("ntxent");

    private static MarginKind Kind(string name) => name switch
    {
        "none" => MarginKind.None,
        "am" => MarginKind.Additive,
        "aam" => MarginKind.AdditiveAngular,
        _ => throw new ArgumentException($"margin kind {name}"),
    };

    private static void AssertStatistics(double[][] views, int width, int[] labels, SimilarityStatistics got)
    {
        double[][] z = [.. LossReference.UnitRows(views[0], width), .. LossReference.UnitRows(views[1], width)];
        int pairs = z.Length / 2;
        double positives = 0, negatives = 0;
        int count = 0, hits = 0;
        for (int a = 0; a < z.Length; a++)
        {
            int p = (a + pairs) % z.Length;
            double own = LossReference.Dot(z[a], z[p]), best = double.NegativeInfinity;
            positives += own;
            for (int j = 0; j < z.Length; j++)
            {
                if (j != a && j != p && (labels.Length == 0 || labels[a % pairs] != labels[j % pairs]))
                {
                    double c = LossReference.Dot(z[a], z[j]);
                    negatives += c;
                    count++;
                    best = Math.Max(best, c);
                }
            }

            hits += own >= best ? 1 : 0;
        }

        Close.Assert(
            [got.MeanPositiveCosine, got.MeanNegativeCosine, got.TopOneRate],
            [positives / z.Length, negatives / count, (double)hits / z.Length],
            1e-6,
            "statistics");
    }
}
