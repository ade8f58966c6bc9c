namespace Spk.Engine.Numerics;

/// <summary>The standard normal distribution, to about 1e-14: the axes of a detection error trade-off plot.</summary>
public static class NormalDistribution
{
    private const double InverseRootTwoPi = 0.39894228040143267794;

    /// <summary>Probability density.</summary>
    /// <param name="x">Any number.</param>
    public static double Density(double x) => InverseRootTwoPi * Math.Exp(-0.5 * x * x);

    /// <summary>Probability of a value below <paramref name="x"/>.</summary>
    /// <param name="x">Any number, infinities included.</param>
    /// <returns>A number of [0, 1]; small values keep their relative precision.</returns>
    public static double Cumulative(double x) => x < 0 ? UpperTail(-x) : 1 - UpperTail(x);

    /// <summary>The value below which a given share of the distribution lies: the inverse of <see cref="Cumulative"/>.</summary>
    /// <param name="probability">In [0, 1]; 0 and 1 give the infinities.</param>
    /// <returns>The quantile in standard deviations.</returns>
    /// <exception cref="ArgumentOutOfRangeException">The probability is outside [0, 1] or NaN.</exception>
    public static double Quantile(double probability)
    {
        if (!(probability is >= 0 and <= 1))
        {
            throw new ArgumentOutOfRangeException(nameof(probability), probability, "A probability lies in [0, 1].");
        }

        // Only the lower half is solved, where the tail has full relative precision.
        if (probability > 0.5)
        {
            return -Quantile(1 - probability);
        }

        if (probability == 0)
        {
            return double.NegativeInfinity;
        }

        // Newton on log Φ, which is concave: from a start left of the root every step stays left of it, so it converges
        // from anywhere; the leading term of the tail, exp(-x²/2), gives such a start.
        double x = -Math.Sqrt(-2 * Math.Log(probability));
        for (int step = 0; step < 60; step++)
        {
            double tail = UpperTail(-x);
            if (tail < double.Epsilon * 1e16)
            {
                break; // subnormal: no digits left to improve on
            }

            double change = tail * Math.Log(probability / tail) / Density(x);
            x += change;
            if (Math.Abs(change) <= 1e-15 * Math.Max(1, Math.Abs(x)))
            {
                break;
            }
        }

        return x;
    }

    /// <summary>Probability of a value above x, for x of 0 and more.</summary>
    private static double UpperTail(double x)
    {
        if (x > 38.5)
        {
            return 0;
        }

        if (x < 2.5)
        {
            // Φ(x) - 1/2 = φ(x) (x + x³/3 + x⁵/15 + …): all terms positive, hence no cancellation.
            double term = x, sum = x;
            for (int odd = 3; term > 1e-17 * sum; odd += 2)
            {
                term *= x * x / odd;
                sum += term;
            }

            return 0.5 - (Density(x) * sum);
        }

        // Laplace's continued fraction x + 1/(x + 2/(x + 3/(x + …))), evaluated from its far end.
        double fraction = x;
        for (int k = 160; k >= 1; k--)
        {
            fraction = x + (k / fraction);
        }

        return Density(x) / fraction;
    }
}
