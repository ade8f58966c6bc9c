using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Features;
using Spk.Engine.Ops.Features;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Features;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class FeatureNormTests(TestDevice on)
{
    private static readonly int[][] Shapes = [[1, 2, 1], [2, 7, 15], [1, 31, 16], [3, 33, 17], [1, 130, 9]];

    private Device _device = null!;

    private static IEnumerable<TestCaseData> GoldenCases() => Golden.Cases("instance_norm");

    [SetUp]
    public void SetUp() => _device = on.Open();

    [TearDown]
    public void TearDown() => _device.Dispose();

    [Category("Golden")]
    [TestCaseSource(nameof(GoldenCases))]
    public void Instance_norm_matches_torch(GoldenCase? goldenCase)
    {
        var g = Golden.Require(goldenCase);
        var x = g.Input("x");
        int n = x.Shape[0], channels = x.Shape[1], frames = x.Shape[2];
        var tape = new Tape();
        var variable = Samples.Variable(_device, new Shape(n, frames, channels), Turn(x.Values, n, channels, frames));
        var y = FeatureNorm.Forward(tape, variable, FeatureNormalization.Instance, (float)g.Number("eps"));
        y.GradForWrite(out _).CopyFrom(Turn(g.Input("grad_y").Values, n, channels, frames));
        GradientCheck.Backward(tape);

        g.AssertOutput("y", Turn(Samples.ToDouble(Samples.Read(y)), n, frames, channels));
        g.AssertOutput("grad_x", Turn(Samples.ToDouble(Samples.Read(variable.Grad!)), n, frames, channels));
    }

    [TestCaseSource(nameof(Shapes))]
    public void Gradients_match_differences(int n, int frames, int channels)
    {
        var shape = new Shape(n, frames, channels);
        foreach (var kind in new[] { FeatureNormalization.Mean, FeatureNormalization.Instance })
        {
            GradientCheck.Run(
                _device,
                [("x", shape, Samples.Normal(3, shape.Count))],
                (tape, v) => FeatureNorm.Forward(tape, v[0], kind, 1e-2f),
                v => Reference(v[0], n, frames, channels, kind, 1e-2));
        }
    }

    [Test]
    public void Gradients_add_to_those_already_there()
    {
        var shape = new Shape(2, 9, 20);
        var tape = new Tape();
        var x = Samples.Variable(_device, shape, Samples.Normal(4, shape.Count));
        var a = FeatureNorm.Forward(tape, x, FeatureNormalization.Mean);
        var b = FeatureNorm.Forward(tape, x, FeatureNormalization.Mean);
        var dy = Samples.Normal(5, shape.Count);
        a.GradForWrite(out _).CopyFrom(dy);
        GradientCheck.Backward(tape);
        var once = Samples.Read(x.Grad!);
        b.GradForWrite(out _).CopyFrom(dy);
        GradientCheck.Backward(tape);
        Close.Assert(Samples.Read(x.Grad!), once.Select(v => 3 * v).ToArray(), 1e-5, "three times the same gradient");
    }

    [Test]
    public void Long_utterances_keep_their_precision()
    {
        const int Frames = 200_000;
        var values = Samples.Normal(6, Frames, 0.01f).Select(v => v + 15f).ToArray();
        var y = FeatureNorm.InPlace(Samples.Constant(_device, new Shape(1, Frames, 1), values), FeatureNormalization.Instance);
        Close.Assert(Samples.Read(y), Reference(Samples.ToDouble(values), 1, Frames, 1, FeatureNormalization.Instance, 1e-5), 2e-3, "long");
    }

    [Test]
    public void One_frame_becomes_zeros_and_none_changes_nothing()
    {
        var x = Samples.Constant(_device, new Shape(2, 1, 3), Samples.Normal(7, 6));
        Assert.That(Samples.Read(FeatureNorm.Forward(null, x, FeatureNormalization.Instance)), Is.All.Zero);
        Assert.That(FeatureNorm.Forward(null, x, FeatureNormalization.None), Is.SameAs(x));
    }

    [Test]
    public void A_nan_stays_in_its_own_channel()
    {
        var values = Samples.Normal(8, 40);
        values[3] = float.NaN;
        var y = Samples.Read(FeatureNorm.Forward(null, Samples.Constant(_device, new Shape(1, 10, 4), values), FeatureNormalization.Instance));
        Assert.That(y.Where((_, i) => i % 4 == 3), Is.All.NaN);
        Assert.That(y.Where((_, i) => i % 4 != 3).All(float.IsFinite), Is.True);
    }

    [Test]
    public void Wrong_shapes_are_refused() =>
        Assert.That(
            () => FeatureNorm.Forward(null, _device.Workspace.Rent(new Shape(3, 4)), FeatureNormalization.Mean),
            Throws.InstanceOf<ShapeException>());

    private static double[] Reference(double[] x, int n, int frames, int channels, FeatureNormalization kind, double eps)
    {
        var y = new double[x.Length];
        for (int u = 0; u < n; u++)
        {
            for (int c = 0; c < channels; c++)
            {
                var values = Enumerable.Range(0, frames).Select(t => x[(((u * frames) + t) * channels) + c]).ToArray();
                double mean = values.Average();
                double variance = values.Average(v => (v - mean) * (v - mean));
                double scale = kind == FeatureNormalization.Mean ? 1 : 1 / Math.Sqrt(variance + eps);
                for (int t = 0; t < frames; t++)
                {
                    y[(((u * frames) + t) * channels) + c] = (values[t] - mean) * scale;
                }
            }
        }

        return y;
    }

    // [n, a, b] to [n, b, a].
    private static float[] Turn(double[] values, int n, int a, int b)
    {
        var turned = new float[values.Length];
        for (int u = 0; u < n; u++)
        {
            for (int i = 0; i < a; i++)
            {
                for (int j = 0; j < b; j++)
                {
                    turned[(((u * b) + j) * a) + i] = (float)values[(((u * a) + i) * b) + j];
                }
            }
        }

        return turned;
    }
}
