namespace Spk.Engine.Clustering;

/// <summary>Sums over rows weighted by their responsibilities; rows are relative to the origin.</summary>
internal sealed class MixtureSums(int components, int dimension)
{
    public double[] Weights { get; } = new double[components];

    public double[] Values { get; } = new double[(long)components * dimension];

    public double[] Squares { get; } = new double[(long)components * dimension];

    public void Clear()
    {
        Array.Clear(Weights);
        Array.Clear(Values);
        Array.Clear(Squares);
    }
}

/// <summary>Weights, means and variances of a mixture. Means are relative to an origin, the mean of all rows, so that f32 holds them well.</summary>
internal sealed class MixtureParameters
{
    // Lest a dimension in which all rows agree divide by zero; embeddings have variances far above it.
    private const double LeastVariance = 1e-12;

    // A component with less than this many rows has none.
    private const double LeastRows = 1e-10;

    private readonly double[] _floor;

    public MixtureParameters(int components, double[] origin, double[] variances, double floor)
    {
        Components = components;
        Dimension = origin.Length;
        Origin = origin;
        _floor = Array.ConvertAll(variances, v => Math.Max(LeastVariance, v * floor));
        Weights = new double[components];
        Means = new double[(long)components * Dimension];
        Variances = new double[(long)components * Dimension];
        for (int i = 0; i < Variances.Length; i++)
        {
            Variances[i] = Math.Max(LeastVariance, variances[i % Dimension]);
        }
    }

    public int Components { get; }

    public int Dimension { get; }

    public double[] Origin { get; }

    public double[] Weights { get; }

    public double[] Means { get; }

    public double[] Variances { get; }

    /// <summary>Equal weights and, for all components, one spherical variance: the most probable component is the nearest centroid.</summary>
    public void Place(ReadOnlySpan<float> centroids)
    {
        Array.Fill(Weights, 1.0 / Components);
        Array.Fill(Variances, Variances.AsSpan(0, Dimension).ToArray().Average());
        for (int i = 0; i < Means.Length; i++)
        {
            Means[i] = centroids[i] - Origin[i % Dimension];
        }
    }

    /// <summary>The parameters of the highest likelihood for given responsibilities, above the variance floor.</summary>
    public void Maximize(MixtureSums sums, int rows)
    {
        for (int k = 0; k < Components; k++)
        {
            double weight = sums.Weights[k];
            if (weight < LeastRows)
            {
                Weights[k] = 0;
                continue;
            }

            Weights[k] = weight / rows;
            for (int d = 0; d < Dimension; d++)
            {
                int at = (k * Dimension) + d;
                double mean = sums.Values[at] / weight;
                Means[at] = mean;
                Variances[at] = Math.Max(_floor[d], (sums.Squares[at] / weight) - (mean * mean));
            }
        }
    }

    /// <summary>Logarithm of weight and normalization of a component; −∞ for one without rows.</summary>
    public double LogConstant(int component)
    {
        double sum = Math.Log(Weights[component]) - (0.5 * Dimension * Math.Log(2 * Math.PI));
        for (int d = 0; d < Dimension; d++)
        {
            sum -= 0.5 * Math.Log(Variances[(component * Dimension) + d]);
        }

        return sum;
    }

    /// <summary>The means where the rows are.</summary>
    public float[] MeansOfRows()
    {
        float[] means = new float[Means.Length];
        for (int i = 0; i < means.Length; i++)
        {
            means[i] = (float)(Means[i] + Origin[i % Dimension]);
        }

        return means;
    }
}
