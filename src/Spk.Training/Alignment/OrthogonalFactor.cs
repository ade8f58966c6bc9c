using System.Numerics.Tensors;

namespace Spk.Training.Alignment;

/// <summary>
/// The orthogonal matrix nearest to a given one: U·Vᵀ of its singular value decomposition, which one-sided Jacobi rotations find (Hestenes 1958;
/// Golub and Van Loan, "Matrix Computations", 8.6).
/// </summary>
internal static class OrthogonalFactor
{
    private const int MostSweeps = 60;
    private const double Tolerance = 1e-14, Rank = 1e-10;

    /// <summary>Finds the factor.</summary>
    /// <param name="matrix">[rows, columns], row-major, finite.</param>
    /// <param name="rows">Number of rows.</param>
    /// <param name="columns">Number of columns.</param>
    /// <returns>
    /// [rows, columns], row-major: its rows or its columns, whichever are fewer, are orthonormal. Where the matrix lacks rank it is completed by
    /// directions that are orthogonal to the rest.
    /// </returns>
    public static double[] Of(ReadOnlySpan<double> matrix, int rows, int columns)
    {
        // Columns are rotated against each other, so the fewer of the two are taken as columns; each lies in a run of memory.
        bool transposed = rows < columns;
        (int length, int count) = transposed ? (columns, rows) : (rows, columns);
        var a = new double[count][];
        var v = new double[count][];
        for (int c = 0; c < count; c++)
        {
            a[c] = new double[length];
            v[c] = new double[count];
            v[c][c] = 1;
            for (int r = 0; r < length; r++)
            {
                a[c][r] = transposed ? matrix[(c * columns) + r] : matrix[(r * columns) + c];
            }
        }

        for (int sweep = 0; sweep < MostSweeps && Rotate(a, v); sweep++)
        {
        }

        Orthonormalize(a);
        var factor = new double[rows * columns];
        for (int c = 0; c < count; c++)
        {
            for (int k = 0; k < count; k++)
            {
                double weight = v[k][c];
                for (int r = 0; r < length; r++)
                {
                    factor[transposed ? (c * columns) + r : (r * columns) + c] += weight * a[k][r];
                }
            }
        }

        return factor;
    }

    /// <summary>One sweep: makes every pair of columns orthogonal in turn. False where all were already.</summary>
    private static bool Rotate(double[][] a, double[][] v)
    {
        bool rotated = false;
        for (int p = 0; p < a.Length - 1; p++)
        {
            for (int q = p + 1; q < a.Length; q++)
            {
                double alpha = TensorPrimitives.SumOfSquares<double>(a[p]), beta = TensorPrimitives.SumOfSquares<double>(a[q]), gamma = TensorPrimitives.Dot<double>(a[p], a[q]);
                if (Math.Abs(gamma) <= Tolerance * Math.Sqrt(alpha * beta))
                {
                    continue;
                }

                rotated = true;
                double zeta = (beta - alpha) / (2 * gamma);
                double tangent = Math.CopySign(1, zeta) / (Math.Abs(zeta) + Math.Sqrt(1 + (zeta * zeta)));
                double cosine = 1 / Math.Sqrt(1 + (tangent * tangent)), sine = cosine * tangent;
                Turn(a[p], a[q], cosine, sine);
                Turn(v[p], v[q], cosine, sine);
            }
        }

        return rotated;
    }

    private static void Turn(double[] p, double[] q, double cosine, double sine)
    {
        for (int i = 0; i < p.Length; i++)
        {
            (p[i], q[i]) = ((cosine * p[i]) - (sine * q[i]), (sine * p[i]) + (cosine * q[i]));
        }
    }

    /// <summary>Scales columns to unit length; those without length become unit vectors orthogonal to all others.</summary>
    private static void Orthonormalize(double[][] a)
    {
        double[] lengths = [.. a.Select(column => TensorPrimitives.Norm<double>(column))];
        double least = Rank * lengths.Max();
        var done = new List<double[]>();
        for (int c = 0; c < a.Length; c++)
        {
            if (lengths[c] > least)
            {
                TensorPrimitives.Divide(a[c], lengths[c], a[c]);
                done.Add(a[c]);
            }
        }

        int axis = 0;
        for (int c = 0; c < a.Length; c++)
        {
            if (lengths[c] > least)
            {
                continue;
            }

            // Of all axes, one at least is far from the span of the columns so far.
            do
            {
                Array.Clear(a[c]);
                a[c][axis++] = 1;

                // Twice is enough against cancellation.
                for (int pass = 0; pass < 2; pass++)
                {
                    foreach (double[] other in done)
                    {
                        double share = TensorPrimitives.Dot<double>(a[c], other);
                        for (int i = 0; i < other.Length; i++)
                        {
                            a[c][i] -= share * other[i];
                        }
                    }
                }
            }
            while (TensorPrimitives.Norm<double>(a[c]) < 1e-3);
            TensorPrimitives.Divide(a[c], TensorPrimitives.Norm<double>(a[c]), a[c]);
            done.Add(a[c]);
        }
    }
}
