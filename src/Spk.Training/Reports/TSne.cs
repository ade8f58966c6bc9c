using System.Numerics.Tensors;
using Spk.Interop;

namespace Spk.Training.Reports;

/// <summary>
/// Exact t-SNE, O(N²) a step, meant for up to about 1000 points (van der Maaten and Hinton, "Visualizing data using t-SNE",
/// JMLR 9, 2008). Starts from the principal components, so there is nothing random in it.
/// </summary>
public static class TSne
{
    private const int ExaggeratedSteps = 200;
    private const double Exaggeration = 12;

    /// <summary>Lays rows out on a plane.</summary>
    /// <param name="values">Row-major [N, D], finite.</param>
    /// <param name="dimension">D.</param>
    /// <param name="perplexity">Effective number of neighbours; at most (N − 1) / 3 is used.</param>
    /// <param name="steps">Gradient steps.</param>
    /// <returns>[N, 2], centred.</returns>
    /// <exception cref="ShapeException">The values are not rows of that size.</exception>
    /// <exception cref="InvalidOptionException">The perplexity is below 1 or the number of steps negative.</exception>
    public static double[] Run(ReadOnlySpan<float> values, int dimension, double perplexity = 30, int steps = 700)
    {
        if (!(perplexity >= 1) || steps < 0)
        {
            throw new InvalidOptionException($"t-SNE with perplexity {perplexity} and {steps} steps: the perplexity is at least 1, the steps at least 0.");
        }

        double[] plane = EmbeddingMap.Pca(values, dimension);
        int n = plane.Length / 2;
        if (n < 4)
        {
            return plane; // too few for neighbourhoods
        }

        double[] p = Affinities(values, dimension, n, Math.Min(perplexity, (n - 1) / 3.0));
        Descend(plane, p, n, steps);
        return plane;
    }

    /// <summary>Joint probabilities of neighbours, [N, N], symmetric, summing to 1.</summary>
    internal static double[] Affinities(ReadOnlySpan<float> values, int dimension, int n, double perplexity)
    {
        var distance = new double[n * n];
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < i; j++)
            {
                double d = TensorPrimitives.Distance(values.Slice(i * dimension, dimension), values.Slice(j * dimension, dimension));
                distance[(i * n) + j] = distance[(j * n) + i] = d * d;
            }
        }

        var p = new double[n * n];
        double wanted = Math.Log(perplexity);
        for (int i = 0; i < n; i++)
        {
            Neighbours(distance.AsSpan(i * n, n), p.AsSpan(i * n, n), i, wanted);
        }

        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < i; j++)
            {
                double both = Math.Max((p[(i * n) + j] + p[(j * n) + i]) / (2.0 * n), 1e-12);
                p[(i * n) + j] = p[(j * n) + i] = both;
            }
        }

        return p;
    }

    /// <summary>Finds by bisection the width of the Gaussian around one point whose entropy is wanted.</summary>
    private static void Neighbours(ReadOnlySpan<double> distance, Span<double> p, int self, double wanted)
    {
        // Distances are measured from the nearest neighbour, so that the largest weight is 1 whatever the width.
        double nearest = double.PositiveInfinity;
        for (int j = 0; j < distance.Length; j++)
        {
            nearest = j == self ? nearest : Math.Min(nearest, distance[j]);
        }

        double precision = 1, low = 0, high = double.PositiveInfinity;
        for (int step = 0; step < 64; step++)
        {
            double sum = 0, weighted = 0;
            for (int j = 0; j < distance.Length; j++)
            {
                double excess = distance[j] - nearest;
                double weight = j == self ? 0 : Math.Exp(-precision * excess);
                p[j] = weight;
                sum += weight;
                weighted += weight * excess;
            }

            TensorPrimitives.Divide(p, sum, p);
            double entropy = Math.Log(sum) + (precision * weighted / sum);
            if (Math.Abs(entropy - wanted) < 1e-5)
            {
                break;
            }

            (low, high) = entropy > wanted ? (precision, high) : (low, precision);
            precision = double.IsInfinity(high) ? precision * 2 : (low + high) / 2;
        }
    }

    private static void Descend(double[] plane, double[] p, int n, int steps)
    {
        double scale = 0;
        for (int i = 0; i < n; i++)
        {
            scale += plane[2 * i] * plane[2 * i] / n;
        }

        TensorPrimitives.Multiply(plane, 1e-4 / Math.Max(Math.Sqrt(scale), 1e-30), plane);
        double rate = Math.Max(n / (4 * Exaggeration), 50);
        var velocity = new double[2 * n];
        var gain = new double[2 * n];
        Array.Fill(gain, 1.0);
        var gradient = new double[2 * n];
        var kernel = new double[n * n];
        for (int step = 0; step < steps; step++)
        {
            Gradient(plane, p, n, step < ExaggeratedSteps ? Exaggeration : 1, kernel, gradient);
            double momentum = step < ExaggeratedSteps ? 0.5 : 0.8;
            for (int i = 0; i < gradient.Length; i++)
            {
                // Delta-bar-delta: a coordinate that keeps its direction is sped up.
                gain[i] = Math.Max(Math.Sign(gradient[i]) == Math.Sign(velocity[i]) ? gain[i] * 0.8 : gain[i] + 0.2, 0.01);
                velocity[i] = (momentum * velocity[i]) - (rate * gain[i] * gradient[i]);
                plane[i] += velocity[i];
            }

            Centre(plane, n);
        }
    }

    private static void Gradient(double[] plane, double[] p, int n, double exaggeration, double[] kernel, double[] gradient)
    {
        double sum = 0;
        for (int i = 0; i < n; i++)
        {
            double x = plane[2 * i], y = plane[(2 * i) + 1];
            var row = kernel.AsSpan(i * n, i);
            for (int j = 0; j < row.Length; j++)
            {
                double dx = x - plane[2 * j], dy = y - plane[(2 * j) + 1];
                row[j] = 1 / (1 + (dx * dx) + (dy * dy));
                sum += row[j];
            }
        }

        double scale = 1 / (2 * sum);
        Array.Clear(gradient);
        for (int i = 0; i < n; i++)
        {
            double x = plane[2 * i], y = plane[(2 * i) + 1], gx = 0, gy = 0;
            var row = kernel.AsSpan(i * n, i);
            var neighbours = p.AsSpan(i * n, i);
            for (int j = 0; j < row.Length; j++)
            {
                double k = row[j];
                double force = 4 * ((exaggeration * neighbours[j]) - (k * scale)) * k;
                double fx = force * (x - plane[2 * j]), fy = force * (y - plane[(2 * j) + 1]);
                gx += fx;
                gy += fy;
                gradient[2 * j] -= fx;
                gradient[(2 * j) + 1] -= fy;
            }

            gradient[2 * i] += gx;
            gradient[(2 * i) + 1] += gy;
        }
    }

    private static void Centre(double[] plane, int n)
    {
        double x = 0, y = 0;
        for (int i = 0; i < n; i++)
        {
            x += plane[2 * i] / n;
            y += plane[(2 * i) + 1] / n;
        }

        for (int i = 0; i < n; i++)
        {
            plane[2 * i] -= x;
            plane[(2 * i) + 1] -= y;
        }
    }
}
