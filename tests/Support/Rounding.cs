using Spk.Engine.Devices;

namespace Spk.Tests.Support;

/// <summary>Operands as a precision rounds them, in f64 for a reference.</summary>
public static class Rounding
{
    public static double[] Of(Precision precision, ReadOnlySpan<float> values)
    {
        var rounded = new double[values.Length];
        for (int i = 0; i < rounded.Length; i++)
        {
            uint bits = BitConverter.SingleToUInt32Bits(values[i]);
            rounded[i] = BitConverter.UInt32BitsToSingle(precision switch
            {
                Precision.Bf16 => (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000, // To nearest even.
                Precision.Tf32 => (bits + 0x1000) & 0xffffe000, // Halves away from zero.
                _ => bits,
            });
        }

        return rounded;
    }

    /// <summary>Checks a product against a reference of rounded operands and, more loosely, of unrounded ones; k is the inner length.</summary>
    public static void AssertProduct(Precision precision, int k, float[] got, double[] rounded, double[] exact, string what)
    {
        double largest = Math.Max(1e-3, exact.Max(Math.Abs));
        Close.Assert(got, rounded, Tolerance.Reduction(k) * largest, $"{what}, rounded operands");
        Close.Assert(got, exact, (Tolerance.RoundedProduct(precision, k) + Tolerance.Reduction(k)) * largest, $"{what}, exact operands");
    }
}
