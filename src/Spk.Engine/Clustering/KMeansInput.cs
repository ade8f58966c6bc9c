using System.Numerics.Tensors;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>Checks of what callers hand in.</summary>
internal static class KMeansInput
{
    /// <summary>Number of rows of a matrix given as a span.</summary>
    public static int Rows(ReadOnlySpan<float> values, int dimension, string name)
    {
        if (dimension < 1)
        {
            throw new ShapeException($"dimension = {dimension}: rows need at least one column.");
        }

        if (values.Length % dimension != 0)
        {
            throw new ShapeException($"{name}: {values.Length} values are no whole number of rows of {dimension} columns.");
        }

        return values.Length / dimension;
    }

    /// <summary>Fails with the first row that holds a NaN or an infinity.</summary>
    public static void RequireFinite(ReadOnlySpan<float> values, int dimension, string name, int first = 0)
    {
        if (TensorPrimitives.IsFiniteAll(values))
        {
            return;
        }

        for (int i = 0; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i]))
            {
                throw new NonFiniteException($"{name}: row {first + (i / dimension)}, column {i % dimension} is {values[i]}; remove the row or replace the value.");
            }
        }
    }

    /// <summary>Fails unless every weight is finite and 0 or more.</summary>
    public static void RequireWeights(ReadOnlySpan<float> weights, int rows)
    {
        if (weights.Length != rows)
        {
            throw new ShapeException($"{weights.Length} weights were given for {rows} rows: give one a row, or none.");
        }

        for (int i = 0; i < weights.Length; i++)
        {
            if (!(weights[i] >= 0 && float.IsFinite(weights[i])))
            {
                throw new NonFiniteException($"weights: row {i} has weight {weights[i]}; allowed are finite values of 0 or more.");
            }
        }
    }

    /// <summary>Row-major copy of a jagged array.</summary>
    public static float[] Flatten(float[][] rows, string name, out int dimension)
    {
        ArgumentNullException.ThrowIfNull(rows, name);
        dimension = rows.Length == 0 || rows[0] is null ? 0 : rows[0].Length;
        var values = new float[(long)rows.Length * dimension];
        for (int i = 0; i < rows.Length; i++)
        {
            if (rows[i] is null || rows[i].Length != dimension)
            {
                throw new ShapeException($"{name}: row {i} has {rows[i]?.Length ?? 0} columns, row 0 has {dimension}; all rows need as many.");
            }

            rows[i].CopyTo(values, i * dimension);
        }

        return values;
    }
}
