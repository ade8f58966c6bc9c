using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// A mixture of Gaussians with diagonal covariance, fitted by expectation-maximization from the labels or centroids of another
/// clustering, usually k-means. Its clusters may differ in size and in spread per dimension, which those of k-means cannot.
/// </summary>
/// <remarks>
/// Dempster, Laird and Rubin, "Maximum likelihood from incomplete data via the EM algorithm", 1977. Responsibilities are computed
/// in the log domain; the label of a row is its most probable component, the lowest of equals. A round costs about two assignment
/// steps of k-means; no N×K matrix is stored. A component that loses all rows keeps its place with weight 0. Results do not depend
/// on the number of threads.
/// </remarks>
public sealed class GaussianMixture
{
    private readonly MixtureParameters _parameters;

    private GaussianMixture(MixtureParameters parameters, int[] labels, double[] logLikelihoods, bool converged)
    {
        _parameters = parameters;
        LogLikelihoods = logLikelihoods;
        Labels = labels;
        Means = parameters.MeansOfRows();
        Variances = Array.ConvertAll(parameters.Variances, v => (float)v);
        Weights = [.. parameters.Weights];
        Converged = converged;
    }

    /// <summary>Number of components K, those without rows included.</summary>
    public int Components => _parameters.Components;

    /// <summary>Dimension D.</summary>
    public int Dimension => _parameters.Dimension;

    /// <summary>Most probable component of each row, 0 to K − 1.</summary>
    public int[] Labels { get; }

    /// <summary>Row-major means [K, D].</summary>
    public float[] Means { get; }

    /// <summary>Row-major variances [K, D].</summary>
    public float[] Variances { get; }

    /// <summary>Share of each component; they sum to 1.</summary>
    public double[] Weights { get; }

    /// <summary>Mean log-likelihood of a row in nats, by round; never falls but for rounding. The last one is that of the result.</summary>
    public double[] LogLikelihoods { get; }

    /// <summary>Rounds of maximization that were run.</summary>
    public int Iterations => LogLikelihoods.Length - 1;

    /// <summary>Whether the tolerance ended it, rather than the number of rounds.</summary>
    public bool Converged { get; }

    /// <summary>Fits a mixture that starts from labels: one component a label 0 to K − 1.</summary>
    /// <param name="rows">Row-major [N, D], finite.</param>
    /// <param name="dimension">D, above 0.</param>
    /// <param name="labels">[N] labels, 0 to K − 1; K is the largest plus 1.</param>
    /// <param name="options">Limits; defaults if null.</param>
    /// <param name="progress">Receives every round.</param>
    /// <param name="cancellation">Ends the computation early.</param>
    /// <returns>The mixture.</returns>
    /// <exception cref="ShapeException">The values are no rows of that dimension, or there is not one label a row.</exception>
    /// <exception cref="NonFiniteException">A value is a NaN or an infinity; the message names the row.</exception>
    /// <exception cref="InvalidOptionException">An option is out of range, or a label negative or not below N.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static GaussianMixture FitFromLabels(
        ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels, GaussianMixtureOptions? options = null,
        IProgress<GaussianMixtureProgress>? progress = null, CancellationToken cancellation = default)
    {
        int count = Points.Count(rows, dimension, labels), components = 0;
        for (int i = 0; i < count; i++)
        {
            components = labels[i] >= 0 && labels[i] < count
                ? Math.Max(components, labels[i] + 1)
                : throw new InvalidOptionException($"the label of row {i} is {labels[i]}: labels to start from are 0 to K − 1, with K up to the number of rows, {count}.");
        }

        return Fit(rows, dimension, labels, [], components, options, progress, cancellation);
    }

    /// <summary>Fits a mixture that starts from centroids: each row belongs to the nearest one at first.</summary>
    /// <param name="rows">Row-major [N, D], finite.</param>
    /// <param name="dimension">D, above 0.</param>
    /// <param name="centroids">Row-major [K, D], finite, K at most N.</param>
    /// <param name="options">Limits; defaults if null.</param>
    /// <param name="progress">Receives every round.</param>
    /// <param name="cancellation">Ends the computation early.</param>
    /// <returns>The mixture.</returns>
    /// <exception cref="ShapeException">The values are no rows or centroids of that dimension, or there are more centroids than rows.</exception>
    /// <exception cref="NonFiniteException">A value is a NaN or an infinity; the message names the row.</exception>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static GaussianMixture FitFromCentroids(
        ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<float> centroids, GaussianMixtureOptions? options = null,
        IProgress<GaussianMixtureProgress>? progress = null, CancellationToken cancellation = default)
    {
        int count = Points.Count(rows, dimension), components = Points.Count(centroids, dimension, "centroids");
        return components <= count
            ? Fit(rows, dimension, [], centroids, components, options, progress, cancellation)
            : throw new ShapeException($"{components} centroids for {count} rows: there must be at least as many rows.");
    }

    /// <summary>The most probable component of new rows.</summary>
    /// <param name="rows">Row-major [N, D], finite.</param>
    /// <param name="threads">Threads; 0 for one per processor.</param>
    /// <param name="cancellation">Ends the computation early.</param>
    /// <returns>[N] labels.</returns>
    /// <exception cref="ShapeException">The values are no rows of dimension D.</exception>
    /// <exception cref="NonFiniteException">A value is a NaN or an infinity; the message names the row.</exception>
    /// <exception cref="InvalidOptionException">The number of threads is negative.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public int[] Predict(ReadOnlySpan<float> rows, int threads = 0, CancellationToken cancellation = default)
    {
        Points.Count(rows, Dimension);
        using var data = new MixtureData(rows, Dimension, _parameters.Origin, Threads.Options(threads, cancellation));
        int[] labels = new int[data.Count];
        Expect(data, _parameters, null, labels);
        return labels;
    }

    private static GaussianMixture Fit(
        ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels, ReadOnlySpan<float> centroids, int components,
        GaussianMixtureOptions? options, IProgress<GaussianMixtureProgress>? progress, CancellationToken cancellation)
    {
        options ??= new GaussianMixtureOptions();
        options.Validate();
        double[] origin = MixtureData.MeanOf(rows, dimension);
        using var data = new MixtureData(rows, dimension, origin, Threads.Options(options.Threads, cancellation));
        var parameters = new MixtureParameters(components, origin, data.Variances(), options.VarianceFloor);
        var sums = new MixtureSums(components, dimension);
        int[] found = new int[data.Count];
        if (labels.IsEmpty)
        {
            parameters.Place(centroids);
            Expect(data, parameters, null, found);
            data.AddOneHot(found, sums);
        }
        else
        {
            data.AddOneHot(labels, sums);
        }

        parameters.Maximize(sums, data.Count);
        var logLikelihoods = new List<double>();
        for (int iteration = 1; ; iteration++)
        {
            cancellation.ThrowIfCancellationRequested();
            sums.Clear();
            double logLikelihood = Expect(data, parameters, sums, found);
            logLikelihoods.Add(logLikelihood);
            progress?.Report(new GaussianMixtureProgress(iteration, logLikelihood));
            bool converged = options.Tolerance > 0 && logLikelihoods.Count > 1 && logLikelihood - logLikelihoods[^2] <= options.Tolerance;
            if (converged || iteration > options.MaximumIterations)
            {
                return new GaussianMixture(parameters, found, [.. logLikelihoods], converged);
            }

            parameters.Maximize(sums, data.Count);
        }
    }

    private static double Expect(MixtureData data, MixtureParameters parameters, MixtureSums? sums, int[] labels)
    {
        double sum = 0;
        double[] ofRow = data.Expect(parameters, sums, labels);
        foreach (double value in ofRow)
        {
            sum += value;
        }

        double mean = sum / data.Count;
        return double.IsFinite(mean)
            ? mean
            : throw new NonFiniteException("the likelihood of the rows overflows: scale the rows down first.");
    }
}
