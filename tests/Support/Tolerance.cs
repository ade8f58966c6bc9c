using Spk.Engine.Devices;

namespace Spk.Tests.Support;

/// <summary>
/// Every limit of the tests, derived once. "Relative" limits are multiplied by the largest reference magnitude.
/// </summary>
public static class Tolerance
{
    /// <summary>Unit roundoff of f32.</summary>
    public const double Epsilon = 5.96e-8;

    /// <summary>An f32 sum of n terms against f64: rounding grows like √n; the factor covers the worst element of many.</summary>
    public static double Reduction(int n) => 16 * Epsilon * Math.Sqrt(Math.Max(1, n));

    /// <summary>
    /// A product over an inner length k whose operands are rounded, against unrounded ones: an ulp (2^-8 for bf16, 2^-10 for
    /// tf32) times √k / 4, of the largest element.
    /// </summary>
    public static double RoundedProduct(Precision precision, int k)
    {
        double ulp = precision switch { Precision.Bf16 => 1.0 / 256, Precision.Tf32 => 1.0 / 1024, _ => 8 * Epsilon };
        return ulp * Math.Max(1, Math.Sqrt(k) / 4);
    }

    /// <summary>A few roundings of one element.</summary>
    public const double ElementWise = 8 * Epsilon;

    /// <summary>
    /// f32 backward against central differences of an f64 reference: the differences themselves carry about 1e-8, so the
    /// f32 rounding of the backward pass decides.
    /// </summary>
    public const double Gradient = 2e-4;

    /// <summary>Loss and gradients of a step that several processes share, against one process: relative.</summary>
    public const double SharedStep = 1e-5;

    /// <summary>Losses of 20 steps of SGD that several processes share, against one process: relative, for rounding grows from step to step.</summary>
    public const double SharedCourse = 1e-3;

    /// <summary>What weights move in 20 steps of SGD that several processes share, against one process: relative. Activations that rounding turns from below 0 to above move a gradient at once.</summary>
    public const double SharedMoves = 1e-2;
}
