using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class Conv1dTests(TestDevice on)
{
    [Category("Golden")]
    [TestCaseSource(typeof(Golden), nameof(Golden.Cases), new object[] { new[] { "conv1d" } })]
    public void Matches_PyTorch(GoldenCase? golden)
    {
        var g = Golden.Require(golden);
        using var device = on.Open();
        var (x, w, b) = (g.Input("x"), g.Input("w"), g.Input("b"));
        var padding = g.Text("padding") switch { "valid" => Padding.Valid, "zero" => Padding.Zero, _ => Padding.Reflect };
        var tape = new Tape();
        var tx = Samples.Variable(device, new Shape(x.Shape[0], x.Shape[2], x.Shape[1]), Layout.Swap(x));
        var tw = Samples.Variable(device, new Shape(w.Shape[0], w.Shape[2], w.Shape[1]), Layout.Swap(w));
        var tb = Samples.Variable(device, new Shape(b.Shape[0]), b.ToSingle());
        var y = Conv1d.Forward(tape, tx, tw, tb, g.Integer("dilation"), padding);
        g.AssertOutput("y", Layout.Swap(Samples.Read(y), y.Shape));
        y.GradForWrite(out _).CopyFrom(Layout.Swap(g.Input("grad_y")));
        GradientCheck.Backward(tape);
        g.AssertOutput("grad_x", Layout.Swap(Samples.Read(tx.Grad!), tx.Shape));
        g.AssertOutput("grad_w", Layout.Swap(Samples.Read(tw.Grad!), tw.Shape));
        g.AssertOutput("grad_b", Samples.Read(tb.Grad!));
    }

    // One frame, one channel, around 16 lanes, more taps than frames inside, several utterances.
    [Test]
    public void Gradients_match_differences(
        [Values] Padding padding,
        [Values("1 9 1 1 3 1", "2 11 3 5 3 2", "3 13 17 4 5 3", "2 9 2 33 1 1")] string sizes)
    {
        int[] s = [.. sizes.Split(' ').Select(int.Parse)];
        var (batch, frames, inputs, outputs, taps, dilation) = (s[0], s[1] + (padding == Padding.Valid ? 8 : 0), s[2], s[3], s[4], s[5]);
        int pad = padding == Padding.Valid ? 0 : dilation * (taps - 1) / 2;
        int result = frames + (2 * pad) - (dilation * (taps - 1));
        using var device = on.Open();
        GradientCheck.Run(
            device,
            [
                ("x", new Shape(batch, frames, inputs), Samples.Normal(1, batch * frames * inputs)),
                ("weight", new Shape(outputs, taps, inputs), Samples.Normal(2, outputs * taps * inputs)),
                ("bias", new Shape(outputs), Samples.Normal(3, outputs)),
            ],
            (tape, v) => Conv1d.Forward(tape, v[0], v[1], v[2], dilation, padding),
            v =>
            {
                var y = new double[batch * result * outputs];
                for (int i = 0; i < y.Length; i++)
                {
                    int o = i % outputs, t = i / outputs % result, n = i / outputs / result;
                    y[i] = v[2][o];
                    for (int k = 0; k < taps; k++)
                    {
                        int at = t + (k * dilation) - pad;
                        if (at < 0 || at >= frames)
                        {
                            if (padding == Padding.Zero)
                            {
                                continue;
                            }

                            at = at < 0 ? -at : (2 * (frames - 1)) - at;
                        }

                        for (int c = 0; c < inputs; c++)
                        {
                            y[i] += v[0][(((n * frames) + at) * inputs) + c] * v[1][(((o * taps) + k) * inputs) + c];
                        }
                    }
                }

                return y;
            });
    }

    [Test]
    public void Too_few_frames_are_named()
    {
        using var device = on.Open(1);
        var x = device.Workspace.Rent(new Shape(1, 4, 2));
        var w = device.Workspace.Rent(new Shape(3, 3, 2));
        Assert.That(() => Conv1d.Forward(null, x, w, null, 2), Throws.TypeOf<ShapeException>().With.Message.Contains("at least 5 frames; given 4"));
        Assert.That(() => Conv1d.Forward(null, x, w, null, 4, Padding.Reflect), Throws.TypeOf<ShapeException>().With.Message.Contains("at least 5 frames; given 4"));
    }
}
