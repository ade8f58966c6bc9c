using Spk.Engine.Clustering;

namespace Spk.Tests.Clustering;

/// <summary>Lloyd in plain loops of f64, centroids rounded to f32 after every update as the library keeps them.</summary>
internal sealed class KMeansReference
{
    public required int[] Labels { get; init; }

    public required double[] Inertia { get; init; }

    public required float[] Centroids { get; init; }

    /// <summary>Runs a number of iterations with policy keep, then labels once more.</summary>
    public static KMeansReference Run(float[] rows, int d, float[] initial, int iterations, ClusterMetric metric, float[]? weights = null)
    {
        int n = rows.Length / d, k = initial.Length / d;
        float[] centroids = (float[])initial.Clone();
        if (metric == ClusterMetric.Cosine)
        {
            for (int c = 0; c < k; c++)
            {
                double length = Math.Sqrt(Enumerable.Range(0, d).Sum(j => (double)initial[(c * d) + j] * initial[(c * d) + j]));
                for (int j = 0; j < d; j++)
                {
                    centroids[(c * d) + j] = (float)(initial[(c * d) + j] / length);
                }
            }
        }

        int[] labels = new int[n];
        var inertia = new List<double>();
        for (int iteration = 0; ; iteration++)
        {
            inertia.Add(Assign(rows, d, centroids, metric, weights, labels));
            if (iteration == iterations)
            {
                return new KMeansReference { Labels = labels, Inertia = [.. inertia], Centroids = centroids };
            }

            Update(rows, d, centroids, metric, weights, labels);
        }
    }

    /// <summary>Labels rows exactly; returns the objective.</summary>
    public static double Assign(float[] rows, int d, float[] centroids, ClusterMetric metric, float[]? weights, int[] labels)
    {
        double inertia = 0;
        for (int i = 0; i < rows.Length / d; i++)
        {
            double best = double.PositiveInfinity, length = Length(rows, i, d);
            for (int c = 0; c < centroids.Length / d; c++)
            {
                double sum = 0;
                for (int j = 0; j < d; j++)
                {
                    double x = rows[(i * d) + j], m = centroids[(c * d) + j];
                    sum += metric == ClusterMetric.Euclidean ? (x - m) * (x - m) : -x * m;
                }

                if (sum < best)
                {
                    (best, labels[i]) = (sum, c);
                }
            }

            double divisor = metric == ClusterMetric.Euclidean ? 1 : length > 0 ? length : 1;
            inertia += (weights is null ? 1 : weights[i]) * best / divisor;
        }

        return inertia;
    }

    private static void Update(float[] rows, int d, float[] centroids, ClusterMetric metric, float[]? weights, int[] labels)
    {
        for (int c = 0; c < centroids.Length / d; c++)
        {
            double[] sum = new double[d];
            double total = 0;
            for (int i = 0; i < labels.Length; i++)
            {
                double length = Length(rows, i, d);
                if (labels[i] != c || (metric == ClusterMetric.Cosine && length == 0))
                {
                    continue;
                }

                double factor = (weights is null ? 1 : weights[i]) / (metric == ClusterMetric.Cosine ? length : 1);
                total += factor;
                for (int j = 0; j < d; j++)
                {
                    sum[j] += factor * rows[(i * d) + j];
                }
            }

            double divisor = metric == ClusterMetric.Cosine ? Math.Sqrt(sum.Sum(v => v * v)) : total;
            for (int j = 0; j < d && divisor > 0; j++)
            {
                centroids[(c * d) + j] = (float)(sum[j] / divisor);
            }
        }
    }

    private static double Length(float[] rows, int row, int d) => Math.Sqrt(Enumerable.Range(row * d, d).Sum(at => (double)rows[at] * rows[at]));
}
