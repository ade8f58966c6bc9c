using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Encoder;
using Spk.Engine.Tensors;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>The arithmetics of the convolution against f64: all paddings, forward and backward, with channel views.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class Conv1dPrecisionTests(TestDevice on)
{
    // Batch, frames, input and output channels, taps, dilation, and the first channel of the views that x and y are: 0 and
    // channels by fours take the copies of 16 bytes. The fourth splits the sums of the weight gradient.
    // Channels by eights, in the last three, are what Hopper's warpgroups take: more than a tile of rows and of columns, and a split; frames by eights
    // and channels by 64, in the last, are what its copy engine takes.
    [TestCase("2 37 20 24 5 1 0")]
    [TestCase("3 29 13 7 3 4 1")]
    [TestCase("1 9 40 70 1 1 3")]
    [TestCase("2 290 4 6 3 2 0")]
    [TestCase("2 21 68 5 3 3 4")]
    [TestCase("4 5 3 66 3 2 2")]
    [TestCase("3 47 24 136 5 2 0")]
    [TestCase("2 290 8 16 3 1 3")]
    [TestCase("3 24 64 72 3 2 0")]
    public void Every_arithmetic_matches_f64_on_equally_rounded_operands(string sizes)
    {
        int[] s = [.. sizes.Split(' ').Select(int.Parse)];
        foreach (var padding in Enum.GetValues<Padding>())
        {
            foreach (var (precision, onWarpgroups) in on.Arithmetics)
            {
                Check(new Case(s[0], s[1], s[2], s[3], s[4], s[5], padding), s[6], precision, onWarpgroups);
            }
        }
    }

    private void Check(Case c, int first, Precision precision, bool onWarpgroups)
    {
        float[] x = Samples.Normal(1, c.Batch * c.Frames * c.Inputs), w = Samples.Normal(2, c.Outputs * c.Taps * c.Inputs);
        float[] b = Samples.Normal(3, c.Outputs), dy = Samples.Normal(4, c.Batch * c.Result * c.Outputs);
        var (y, dx, dw, db) = Run();
        var exact = c.Reference(Samples.ToDouble(x), Samples.ToDouble(w), b, Samples.ToDouble(dy));
        var want = c.Reference(Rounding.Of(precision, x), Rounding.Of(precision, w), b, Rounding.Of(precision, dy));
        string what = $"{c}, {precision}{(onWarpgroups ? ", warpgroups" : "")}";
        Rounding.AssertProduct(precision, c.Taps * c.Inputs, y, want.Y, exact.Y, what);
        Rounding.AssertProduct(precision, c.Taps * c.Outputs, dx, want.Dx, exact.Dx, $"gradient of x, {what}");
        Rounding.AssertProduct(precision, c.Batch * c.Result, dw, want.Dw, exact.Dw, $"gradient of the weight, {what}");
        Close.Assert(db, exact.Db, Tolerance.Reduction(c.Batch * c.Result) * exact.Db.Max(Math.Abs), $"gradient of the bias, {what}");
        var again = Run();
        bool[] same = [again.Y.AsSpan().SequenceEqual(y), again.Dx.AsSpan().SequenceEqual(dx), again.Dw.AsSpan().SequenceEqual(dw)];
        Assert.That(same, Is.All.True, $"the same bits again, {what}");

        (float[] Y, float[] Dx, float[] Dw, float[] Db) Run()
        {
            using var device = on.Open(precision: precision, onWarpgroups: onWarpgroups);
            var input = Samples.Variable(device, new Shape(c.Batch, c.Frames, c.Inputs + (2 * first)), Widen(x, c.Inputs, first));
            var tw = Samples.Variable(device, new Shape(c.Outputs, c.Taps, c.Inputs), w);
            var tb = Samples.Variable(device, new Shape(c.Outputs), b);
            int wide = c.Outputs + (2 * first);
            var target = Samples.Constant(device, new Shape(c.Batch, c.Result, wide), new float[c.Batch * c.Result * wide]);
            var tape = new Tape();
            var result = Conv1d.Forward(tape, input.Channels(first, c.Inputs), tw, tb, c.Dilation, c.Padding, target.Channels(first, c.Outputs));
            result.GradForWrite(out _).CopyFrom(dy);
            GradientCheck.Backward(tape);
            return (Narrow(target, c.Outputs, first), Narrow(input.Grad!, c.Inputs, first), Samples.Read(tw.Grad!), Samples.Read(tb.Grad!));
        }
    }

    private static float[] Widen(float[] values, int width, int first)
    {
        int wide = width + (2 * first);
        var all = Samples.Normal(9, values.Length / width * wide);
        for (int i = 0; i < values.Length; i++)
        {
            all[(i / width * wide) + first + (i % width)] = values[i];
        }

        return all;
    }

    // The channels of a view, after checking that those beside it are zero.
    private static float[] Narrow(Tensor tensor, int width, int first)
    {
        int wide = width + (2 * first);
        float[] all = Samples.Read(tensor);
        Assert.That(all.Where((_, i) => i % wide < first || i % wide >= first + width), Is.All.Zero, "channels beside the view");
        return [.. all.Where((_, i) => i % wide >= first && i % wide < first + width)];
    }

    private sealed record Case(int Batch, int Frames, int Inputs, int Outputs, int Taps, int Dilation, Padding Padding)
    {
        private int Pad => Padding == Padding.Valid ? 0 : Dilation * (Taps - 1) / 2;

        public int Result => Frames + (2 * Pad) - (Dilation * (Taps - 1));

        public (double[] Y, double[] Dx, double[] Dw, double[] Db) Reference(double[] x, double[] w, float[] b, double[] dy)
        {
            double[] y = new double[dy.Length], dx = new double[x.Length], dw = new double[w.Length], db = new double[b.Length];
            for (int i = 0; i < y.Length; i++)
            {
                int o = i % Outputs, t = i / Outputs % Result, n = i / Outputs / Result;
                y[i] = b[o];
                db[o] += dy[i];
                for (int k = 0; k < Taps; k++)
                {
                    int at = t + (k * Dilation) - Pad;
                    if (Padding == Padding.Reflect)
                    {
                        at = at < 0 ? -at : Math.Min(at, (2 * (Frames - 1)) - at);
                    }

                    for (int c = 0; c < Inputs && at >= 0 && at < Frames; c++)
                    {
                        int of = (((n * Frames) + at) * Inputs) + c, by = (((o * Taps) + k) * Inputs) + c;
                        y[i] += x[of] * w[by];
                        dx[of] += dy[i] * w[by];
                        dw[by] += dy[i] * x[of];
                    }
                }
            }

            return (y, dx, dw, db);
        }
    }
}
