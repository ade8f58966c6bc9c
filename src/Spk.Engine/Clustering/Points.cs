using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>Checks of row-major points.</summary>
internal static class Points
{
    /// <summary>The number of rows, all of them finite.</summary>
    public static int Count(ReadOnlySpan<float> rows, int dimension, string what = "rows")
    {
        if (dimension < 1 || rows.IsEmpty || rows.Length % dimension != 0)
        {
            throw new ShapeException($"{rows.Length} values are no {what} of dimension {dimension}: the dimension must be at least 1, and the values a multiple of it.");
        }

        if (rows.ContainsAnyExceptFinite(out int at))
        {
            throw new NonFiniteException($"{what}: row {at / dimension}, column {at % dimension} is {rows[at]}: every value must be finite.");
        }

        return rows.Length / dimension;
    }

    /// <summary>The number of rows, one label each.</summary>
    public static int Count(ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels)
    {
        int count = Count(rows, dimension);
        return labels.Length == count ? count : throw new ShapeException($"{labels.Length} labels for {count} rows: there must be one a row.");
    }

    private static bool ContainsAnyExceptFinite(this ReadOnlySpan<float> values, out int at)
    {
        for (at = 0; at < values.Length; at++)
        {
            if (!float.IsFinite(values[at]))
            {
                return true;
            }
        }

        return false;
    }
}
