using System.Globalization;
using Spk.Interop;

namespace Spk.Engine.Ops.Loss;

/// <summary>
/// The margin on the hardest other classes: cos(θ − m) for c = cos θ, as though they were nearer than they are. Where θ is below m, which has no
/// nearer, c + 1 − cos m: the two meet at θ = m, and the logit never falls as the cosine rises.
/// </summary>
internal readonly struct HardNegativeRule
{
    // Floor of 1 − c² in the slope only, as in MarginRule.
    private const double SineSquaredFloor = 1e-7;

    private HardNegativeRule(double margin) => (Cosine, Sine) = (Math.Cos(margin), Math.Sin(margin));

    /// <summary>cos m.</summary>
    public double Cosine { get; }

    /// <summary>sin m.</summary>
    public double Sine { get; }

    /// <exception cref="InvalidOptionException">The margin is outside its range.</exception>
    public static HardNegativeRule Create(float margin) => margin is >= 0 and <= MathF.PI / 2
        ? new HardNegativeRule(margin)
        : throw new InvalidOptionException($"hard margin = {margin.ToString(CultureInfo.InvariantCulture)} is out of range: allowed are 0 to π/2 (radians).");

    /// <summary>The cosine in its place, and how that changes with it.</summary>
    public double Apply(double c, out double slope)
    {
        slope = 1;
        if (c >= Cosine)
        {
            return c + 1 - Cosine;
        }

        double squared = 1 - (c * c);
        slope = Cosine - (Sine * c / Math.Sqrt(squared < SineSquaredFloor ? SineSquaredFloor : squared));
        return (c * Cosine) + (Math.Sqrt(squared < 0 ? 0 : squared) * Sine);
    }
}
