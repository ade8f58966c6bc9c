using Spk.Interop;

namespace Spk.Engine.Verification;

/// <summary>Sums of unit vectors in f64.</summary>
internal static class UnitVector
{
    /// <summary>Adds a vector, scaled to the length of its weight.</summary>
    /// <exception cref="NonFiniteException">The vector is not finite, or has no length.</exception>
    public static void AddTo(Span<double> sum, ReadOnlySpan<float> vector, double weight = 1)
    {
        double squares = 0;
        foreach (float value in vector)
        {
            squares += (double)value * value;
        }

        double scale = weight / Math.Sqrt(squares);
        if (!(squares > 0) || !double.IsFinite(scale))
        {
            throw new NonFiniteException("The model gave an embedding that is zero or not finite: its weights are unusable, or the samples are far outside ±1.");
        }

        for (int d = 0; d < sum.Length; d++)
        {
            sum[d] += scale * vector[d];
        }
    }

    /// <summary>Writes a vector of the same direction and length 1.</summary>
    public static void Write(ReadOnlySpan<double> sum, Span<float> unit)
    {
        double squares = 0;
        foreach (double value in sum)
        {
            squares += value * value;
        }

        double length = Math.Sqrt(squares);
        if (!(length > 0))
        {
            throw new NonFiniteException("Embeddings that are to be averaged cancel each other: they are of no use as a profile.");
        }

        for (int d = 0; d < unit.Length; d++)
        {
            unit[d] = (float)(sum[d] / length);
        }
    }
}
