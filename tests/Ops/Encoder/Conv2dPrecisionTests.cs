using NUnit.Framework;
using Spk.Engine.Autograd;
using Spk.Engine.Devices;
using Spk.Tests.Support;

namespace Spk.Tests.Ops.Encoder;

/// <summary>The arithmetics of the convolution over maps against f64, forward and backward.</summary>
[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
[Category("Sanitized")]
public class Conv2dPrecisionTests(TestDevice on)
{
    // Channels by fours take the copies of 16 bytes. The second splits the sums of the weight gradient; the last has no taps for
    // some elements of x.
    [TestCase("2 5 17 12 20 3 3 1 1 1 1")]
    [TestCase("2 12 31 3 7 3 3 1 1 1 1")]
    [TestCase("1 7 19 8 70 3 3 2 2 1 1")]
    [TestCase("2 6 9 16 8 1 1 2 2 0 0")]
    public void Every_arithmetic_matches_f64_on_equally_rounded_operands(string sizes)
    {
        var s = new MapSizes(sizes);
        foreach (var precision in on.Precisions)
        {
            Check(s, precision);
        }
    }

    private void Check(MapSizes s, Precision precision)
    {
        float[] x = Samples.Normal(1, s.X.Count), w = Samples.Normal(2, s.Weight.Count), dy = Samples.Normal(3, s.Y.Count);
        var (y, dx, dw) = Run();
        var (exactX, exactW) = MapReference.Conv2dBackward(s, Samples.ToDouble(x), Samples.ToDouble(w), Samples.ToDouble(dy));
        var (roundX, roundW) = MapReference.Conv2dBackward(s, Rounding.Of(precision, x), Rounding.Of(precision, w), Rounding.Of(precision, dy));
        int taps = s.TapsHeight * s.TapsWidth;
        string what = $"{precision}";
        Rounding.AssertProduct(
            precision, taps * s.Inputs, y, MapReference.Conv2d(s, Rounding.Of(precision, x), Rounding.Of(precision, w), null),
            MapReference.Conv2d(s, Samples.ToDouble(x), Samples.ToDouble(w), null), what);
        Rounding.AssertProduct(precision, taps * s.Outputs, dx, roundX, exactX, $"gradient of x, {what}");
        Rounding.AssertProduct(precision, s.Y.Count / s.Outputs, dw, roundW, exactW, $"gradient of the weight, {what}");
        var again = Run();
        bool[] same = [again.Y.AsSpan().SequenceEqual(y), again.Dx.AsSpan().SequenceEqual(dx), again.Dw.AsSpan().SequenceEqual(dw)];
        Assert.That(same, Is.All.True, $"the same bits again, {what}");

        (float[] Y, float[] Dx, float[] Dw) Run()
        {
            using var device = on.Open(precision: precision);
            var tx = Samples.Variable(device, s.X, x);
            var tw = Samples.Variable(device, s.Weight, w);
            var tape = new Tape();
            var result = s.Forward(tape, tx, tw, null);
            result.GradForWrite(out _).CopyFrom(dy);
            GradientCheck.Backward(tape);
            return (Samples.Read(result), Samples.Read(tx.Grad!), Samples.Read(tw.Grad!));
        }
    }
}
