using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class BatchNormTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "batchnorm1d" } })]
    public void Matches_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = on.Open();
        var x = g.Input("x");
        bool sequence = x.Shape.Count == 3;
        var shape = sequence ? new Shape(x.Shape[0], x.Shape[2], x.Shape[1]) : new Shape(x.Shape[0], x.Shape[1]);
        int channels = x.Shape[1];
        var tx = Samples.Variable(device, shape, sequence ? Layout.Swap(x) : x.ToSingle());
        var p = LayerCheck.Parameters(
            device,
            [.. new[] { "gamma", "beta", "running_mean", "running_var" }.Select(n => (n, new Shape(channels), g.Input(n).ToSingle()))]);
        var tape = new Tape();
        var y = BatchNorm.Forward(
            tape, tx, p[0], p[1], p[2], p[3], g.Flag("training"), (float)g.Number("momentum"), (float)g.Number("eps"));
        g.AssertOutput("y", Back(Samples.Read(y)));
        g.AssertOutput("running_mean_after", Samples.Read(p[2].Value));
        g.AssertOutput("running_var_after", Samples.Read(p[3].Value));
        var dy = g.Input("grad_y");
        y.GradForWrite(out _).CopyFrom(sequence ? Layout.Swap(dy) : dy.ToSingle());
        GradientCheck.Backward(tape);
        g.AssertOutput("grad_x", Back(Samples.Read(tx.Grad!)));
        g.AssertOutput("grad_gamma", Samples.Read(p[0].Value.Grad!));
        g.AssertOutput("grad_beta", Samples.Read(p[1].Value.Grad!));

        float[] Back(float[] values) => sequence ? Layout.Swap(values, shape) : values;
    }

    // Around the 16 lanes, around the four-row step, several chunks of rows.
    [Test]
    public void Gradients_match_differences(
        [Values("2 1", "3 31", "5 32", "7 33", "33 2", "70 17")] string size,
        [Values(null, ActivationKind.Relu, ActivationKind.LeakyRelu)] ActivationKind? before)
    {
        int[] s = [.. size.Split(' ').Select(int.Parse)];
        var (rows, channels) = (s[0], s[1]);
        using var device = on.Open();
        LayerCheck.Run(
            device,
            [("x", new Shape(rows, channels), Samples.Normal(1, rows * channels))],
            [("gamma", new Shape(channels), Samples.Normal(2, channels)), ("beta", new Shape(channels), Samples.Normal(3, channels))],
            (tape, x, p) => BatchNorm.Forward(
                tape, x[0], p[0], p[1], LayerCheck.Buffer(device, channels, 0), LayerCheck.Buffer(device, channels, 1), training: true, before: before),
            v => EncoderReference.BatchNorm(new Frames(1, rows, channels, v[0]), v[1], v[2], Function(before)).V,
            // Two rows normalise to ±1 whatever they are: the gradient of x is a difference of nearly equal numbers.
            rows == 2 ? 2e-2 : Tolerance.Gradient);
    }

    [Test]
    public void Frozen_running_statistics_are_used_and_kept_in_training()
    {
        using var device = on.Open();
        var p = LayerCheck.Parameters(
            device, ("gamma", new Shape(5), Samples.Normal(2, 5)), ("beta", new Shape(5), Samples.Normal(3, 5)), ("mean", new Shape(5), Samples.Normal(4, 5)),
            ("variance", new Shape(5), LayerCheck.Constant(5, 2)));
        var x = Samples.Constant(device, new Shape(7, 5), Samples.Normal(1, 35));
        float[] Run(bool training) => Samples.Read(BatchNorm.Forward(null, x, p[0], p[1], p[2], p[3], training));
        float[] evaluation = Run(training: false);
        p[2].IsFrozen = p[3].IsFrozen = true;
        Assert.That(Run(training: true), Is.EqualTo(evaluation));
        Assert.That(Samples.Read(p[2].Value), Is.EqualTo(Samples.Normal(4, 5)));
        p[2].IsFrozen = false;
        Assert.That(Run(training: true), Is.Not.EqualTo(evaluation));
    }

    [Test]
    public void Running_statistics_in_evaluation_and_their_gradient()
    {
        const int rows = 9, channels = 19;
        using var device = on.Open();
        float[] mean = Samples.Normal(5, channels);
        float[] variance = [.. Samples.Normal(6, channels).Select(v => 0.5f + (v * v))];
        LayerCheck.Run(
            device,
            [("x", new Shape(rows, channels), Samples.Normal(1, rows * channels))],
            [("gamma", new Shape(channels), Samples.Normal(2, channels)), ("beta", new Shape(channels), Samples.Normal(3, channels))],
            (tape, x, p) =>
            {
                var buffers = LayerCheck.Parameters(device, ("mean", new Shape(channels), mean), ("variance", new Shape(channels), variance));
                return BatchNorm.Forward(tape, x[0], p[0], p[1], buffers[0], buffers[1], training: false, before: ActivationKind.LeakyRelu);
            },
            v => [.. v[0].Select((value, i) =>
                ((EncoderReference.LeakyRelu(value) - mean[i % channels]) / Math.Sqrt(variance[i % channels] + 1e-5) * v[1][i % channels]) + v[2][i % channels])]);
    }

    [Test]
    public void A_mean_far_from_zero_does_not_cost_the_variance()
    {
        const int rows = 3000, channels = 18;
        using var device = on.Open();
        float[] values = [.. Samples.Normal(4, rows * channels).Select(v => 1000f + v)];
        var x = Samples.Constant(device, new Shape(rows, channels), values);
        var (mean, variance) = (LayerCheck.Buffer(device, channels, 0), LayerCheck.Buffer(device, channels, 0));
        var y = BatchNorm.Forward(null, x, null, null, mean, variance, training: true, momentum: 1f);
        var want = EncoderReference.BatchNorm(new Frames(1, rows, channels, Samples.ToDouble(values)), null, null);
        Close.Assert(Samples.Read(y), want.V, 2e-4, "output"); // the mean itself is rounded to f32: 3e-5 of a deviation
        for (int c = 0; c < channels; c++)
        {
            double[] column = [.. Enumerable.Range(0, rows).Select(r => (double)values[(r * channels) + c])];
            double average = column.Average();
            double spread = column.Sum(v => (v - average) * (v - average)) / (rows - 1);
            Assert.That(Samples.Read(variance.Value)[c], Is.EqualTo(spread).Within(2e-6 * spread), "unbiased running variance");
        }
    }

    [Test]
    public void Channel_views_are_read_and_written_and_gradients_reach_them()
    {
        const int rows = 21, wide = 60, from = 7, channels = 33;
        using var device = on.Open();
        float[] values = Samples.Normal(1, rows * wide), dy = Samples.Normal(2, rows * channels);
        var p = LayerCheck.Parameters(device, ("g", new Shape(channels), Samples.Normal(3, channels)), ("b", new Shape(channels), Samples.Normal(4, channels)));
        float[] narrow = [.. Enumerable.Range(0, rows * channels).Select(i => values[(i / channels * wide) + from + (i % channels)])];
        var (wantY, wantDx) = Run(Samples.Variable(device, new Shape(rows, channels), narrow), null);
        var whole = Samples.Variable(device, new Shape(rows, wide), values);
        var target = Samples.Variable(device, new Shape(rows, wide), new float[rows * wide]);
        var (gotY, gotDx) = Run(whole.Channels(from, channels), target.Channels(3, channels));
        Assert.That(gotY, Is.EqualTo(wantY));
        Assert.That(gotDx, Is.EqualTo(wantDx));
        float[] all = Samples.Read(target), dx = Samples.Read(whole.Grad!);
        for (int i = 0; i < all.Length; i++)
        {
            int c = i % wide;
            Assert.That(c >= 3 && c < 3 + channels || all[i] == 0f, "written outside the view");
            Assert.That(c >= from && c < from + channels || dx[i] == 0f, "gradient outside the view");
        }

        (float[], float[]) Run(Tensor x, Tensor? output)
        {
            var tape = new Tape();
            var y = BatchNorm.Forward(
                tape, x, p[0], p[1], LayerCheck.Buffer(device, channels, 0), LayerCheck.Buffer(device, channels, 1), true, output: output, before: ActivationKind.Relu);
            float[] result = Samples.Read(y);
            y.GradForWrite(out _).CopyFrom(dy);
            GradientCheck.Backward(tape);
            return (result, Samples.Read(x.Grad!));
        }
    }

    [Test]
    public void The_thread_count_does_not_change_a_bit()
    {
        var results = new[] { 1, 2, 3 }.Select(threads =>
        {
            using var device = on.Open(threads);
            var x = Samples.Variable(device, new Shape(4, 300, 48), Samples.Normal(1, 4 * 300 * 48));
            var tape = new Tape();
            var p = LayerCheck.Parameters(device, ("g", new Shape(48), Samples.Normal(3, 48)), ("b", new Shape(48), Samples.Normal(4, 48)));
            var y = BatchNorm.Forward(tape, x, p[0], p[1], LayerCheck.Buffer(device, 48, 0), LayerCheck.Buffer(device, 48, 1), true, before: ActivationKind.Relu);
            float[] result = Samples.Read(y);
            y.GradForWrite(out _).CopyFrom(Samples.Normal(2, y.Count));
            GradientCheck.Backward(tape);
            return (float[])[.. result, .. Samples.Read(x.Grad!), .. Samples.Read(p[0].Value.Grad!)];
        }).ToArray();
        Assert.That(results[1], Is.EqualTo(results[0]));
        Assert.That(results[2], Is.EqualTo(results[0]));
    }

    [Test]
    public void Misfits_are_refused()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(1, 4), new float[4]);
        var (four, five) = (LayerCheck.Buffer(device, 4, 1), LayerCheck.Buffer(device, 5, 1));
        Assert.That(() => BatchNorm.Forward(null, x, null, null, four, four, true), Throws.TypeOf<ShapeException>().With.Message.Contains("2 rows"));
        Assert.That(() => BatchNorm.Forward(null, x, five, null, four, four, false), Throws.TypeOf<ShapeException>().With.Message.Contains("[5]"));
        Assert.That(
            () => BatchNorm.Forward(null, x, null, null, four, four, false, before: ActivationKind.Gelu), Throws.TypeOf<InvalidOptionException>());
    }

    [Test]
    public void A_NaN_is_not_hidden()
    {
        using var device = on.Open(1);
        var x = Samples.Constant(device, new Shape(3, 17), LayerCheck.Constant(51, float.NaN));
        var y = BatchNorm.Forward(null, x, null, null, LayerCheck.Buffer(device, 17, 0), LayerCheck.Buffer(device, 17, 1), true, before: ActivationKind.Relu);
        Assert.That(Samples.Read(y), Has.All.NaN);
    }

    private static Func<double, double>? Function(ActivationKind? kind) => kind switch
    {
        null => null,
        ActivationKind.Relu => EncoderReference.Relu,
        _ => EncoderReference.LeakyRelu,
    };
}
