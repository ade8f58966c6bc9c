using NUnit.Framework;
using Spk.Tests.Support;
using Spk.Training.Alignment;

namespace Spk.Tests.Alignment;

public class OrthogonalFactorTests
{
    [TestCase(1)]
    [TestCase(2)]
    [TestCase(5)]
    [TestCase(33)]
    public void A_rotation_that_was_stretched_comes_back(int size)
    {
        // Q·S with S symmetric and positive definite has the nearest orthogonal matrix Q.
        double[] rotation = Rotation(size, 3), stretched = Product(rotation, Positive(size, 4), size, size, size);
        Close.Assert([.. OrthogonalFactor.Of(stretched, size, size).Select(v => (float)v)], rotation, 1e-6, "Q");
    }

    [TestCase(5, 3)]
    [TestCase(3, 5)]
    [TestCase(40, 31)]
    public void Of_a_matrix_that_is_not_square_the_fewer_of_rows_and_columns_are_orthonormal(int rows, int columns)
    {
        double[] matrix = Samples.ToDouble(Samples.Normal(5, rows * columns));
        double[] factor = OrthogonalFactor.Of(matrix, rows, columns);
        RequireOrthonormal(factor, rows, columns);

        // Of all such matrices it has the largest inner product with the given one: no small turn of it has a larger one.
        double best = Inner(matrix, factor);
        for (int seed = 0; seed < 20; seed++)
        {
            double[] turned = rows >= columns ? Product(factor, NearIdentity(columns, seed), rows, columns, columns) : Product(NearIdentity(rows, seed), factor, rows, rows, columns);
            Assert.That(Inner(matrix, turned), Is.LessThan(best), $"turn {seed}");
        }
    }

    [Test]
    public void A_matrix_without_full_rank_is_completed()
    {
        // Rank 2 of 6, and nothing at all.
        double[] left = Samples.ToDouble(Samples.Normal(6, 12)), right = Samples.ToDouble(Samples.Normal(7, 12));
        double[] product = Product(left, right, 6, 2, 6), factor = OrthogonalFactor.Of(product, 6, 6);
        RequireOrthonormal(factor, 6, 6);
        Assert.That(Inner(product, factor), Is.GreaterThan(0));
        RequireOrthonormal(OrthogonalFactor.Of(new double[20], 4, 5), 4, 5);
    }

    internal static double[] Rotation(int size, int seed) => OrthogonalFactor.Of(Samples.ToDouble(Samples.Normal(seed, size * size)), size, size);

    private static void RequireOrthonormal(double[] matrix, int rows, int columns)
    {
        int count = Math.Min(rows, columns), length = Math.Max(rows, columns);
        for (int a = 0; a < count; a++)
        {
            for (int b = 0; b < count; b++)
            {
                double sum = Enumerable.Range(0, length).Sum(i => rows >= columns ? matrix[(i * columns) + a] * matrix[(i * columns) + b] : matrix[(a * columns) + i] * matrix[(b * columns) + i]);
                Assert.That(sum, Is.EqualTo(a == b ? 1 : 0).Within(1e-10), $"{a}, {b}");
            }
        }
    }

    private static double[] NearIdentity(int size, int seed)
    {
        // A turn in one plane.
        double[] matrix = new double[size * size];
        for (int i = 0; i < size; i++)
        {
            matrix[(i * size) + i] = 1;
        }

        int p = seed % size, q = (p + 1 + (seed / size % (size - 1))) % size;
        (double sine, double cosine) = Math.SinCos(seed % 2 == 0 ? 0.01 : -0.01);
        (matrix[(p * size) + p], matrix[(p * size) + q], matrix[(q * size) + p], matrix[(q * size) + q]) = (cosine, -sine, sine, cosine);
        return matrix;
    }

    private static double[] Positive(int size, int seed)
    {
        double[] root = Samples.ToDouble(Samples.Normal(seed, size * size)), product = new double[size * size];
        for (int i = 0; i < size; i++)
        {
            for (int j = 0; j < size; j++)
            {
                product[(i * size) + j] = Enumerable.Range(0, size).Sum(k => root[(i * size) + k] * root[(j * size) + k]) + (i == j ? 0.5 : 0);
            }
        }

        return product;
    }

    private static double[] Product(double[] a, double[] b, int rows, int inner, int columns)
    {
        var product = new double[rows * columns];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                product[(i * columns) + j] = Enumerable.Range(0, inner).Sum(k => a[(i * inner) + k] * b[(k * columns) + j]);
            }
        }

        return product;
    }

    private static double Inner(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();
}
