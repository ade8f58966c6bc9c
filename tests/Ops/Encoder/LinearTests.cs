using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class LinearTests(TestDevice on)
{
    private static readonly int[][] Shapes = [[1, 1, 1], [3, 31, 2], [33, 32, 33], [70, 5, 129]];

    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "linear" } })]
    public void Matches_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = on.Open();
        var (x, w, b) = (g.Input("x"), g.Input("w"), g.Input("b"));
        var tape = new Tape();
        var tx = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[1]), x.ToSingle());
        var tw = Samples.Variable(device, new Shape(w.Shape[0], w.Shape[1]), w.ToSingle());
        var tb = Samples.Variable(device, new Shape(b.Shape[0]), b.ToSingle());
        var y = Linear.Forward(tape, tx, tw, tb);
        g.AssertOutput("y", Samples.Read(y));
        y.GradForWrite(out _).CopyFrom(g.Input("grad_y").ToSingle());
        GradientCheck.Backward(tape);
        g.AssertOutput("grad_x", Samples.Read(tx.Grad!));
        g.AssertOutput("grad_w", Samples.Read(tw.Grad!));
        g.AssertOutput("grad_b", Samples.Read(tb.Grad!));
    }

    [TestCaseSource(nameof(Shapes))]
    public void Gradients_match_differences(int rows, int input, int output)
    {
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [
                ("x", new Shape(rows, input), Samples.Normal(1, rows * input)),
                ("weight", new Shape(output, input), Samples.Normal(2, output * input)),
                ("bias", new Shape(output), Samples.Normal(3, output)),
            ],
            (tape, v) => Linear.Forward(tape, v[0], v[1], v[2]),
            v =>
            {
                var y = new double[rows * output];
                for (int r = 0; r < rows; r++)
                {
                    for (int o = 0; o < output; o++)
                    {
                        double sum = v[2][o];
                        for (int i = 0; i < input; i++)
                        {
                            sum += v[0][(r * input) + i] * v[1][(o * input) + i];
                        }

                        y[(r * output) + o] = sum;
                    }
                }

                return y;
            });
    }

    [Test]
    public void Channel_views_are_read_and_written_in_place()
    {
        using var device = on.Open();
        const int rows = 9, wide = 50;
        float[] x = Samples.Normal(1, rows * wide), w = Samples.Normal(2, 6 * 20);
        var whole = Samples.Variable(device, new Shape(rows, wide), x);
        var weight = Samples.Constant(device, new Shape(6, 20), w);
        var target = Samples.Constant(device, new Shape(rows, 10), new float[rows * 10]);
        var tape = new Tape();
        var y = Linear.Forward(tape, whole.Channels(13, 20), weight, null, target.Channels(3, 6));
        var got = Samples.Read(target);
        for (int r = 0; r < rows; r++)
        {
            for (int o = 0; o < 10; o++)
            {
                double want = 0;
                for (int i = 0; o is >= 3 and < 9 && i < 20; i++)
                {
                    want += (double)x[(r * wide) + 13 + i] * w[((o - 3) * 20) + i];
                }

                Assert.That(got[(r * 10) + o], Is.EqualTo(want).Within(1e-4), $"row {r}, column {o}");
            }
        }

        var dy = Samples.Normal(4, rows * 6);
        y.GradForWrite(out _).CopyFrom(dy);
        GradientCheck.Backward(tape);
        var dx = Samples.Read(whole.Grad!);
        for (int i = 0; i < wide; i++)
        {
            double want = 0;
            for (int o = 0; i is >= 13 and < 33 && o < 6; o++)
            {
                want += (double)dy[o] * w[(o * 20) + i - 13];
            }

            Assert.That(dx[i], Is.EqualTo(want).Within(1e-4), $"gradient of column {i}");
        }
    }
}
