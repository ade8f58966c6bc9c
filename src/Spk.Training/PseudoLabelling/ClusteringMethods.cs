using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Training.Data;

namespace Spk.Training.PseudoLabelling;

/// <summary>The ways to make clusters, by the names that recipes and <c>spk cluster</c> use.</summary>
public static class ClusteringMethods
{
    /// <summary>The method where none is named.</summary>
    internal const string Default = "kmeans";

    /// <summary>The method that takes views of the recordings.</summary>
    internal const string Camsat = "camsat";

    /// <summary>Their names.</summary>
    public static IReadOnlyList<string> Names { get; } = [Default, "minibatch", "gmm", "ahc", "pseudo", Camsat, "imsat"];

    /// <summary>Clusters the rows of a matrix.</summary>
    /// <param name="rows">[N, D], row-major, finite.</param>
    /// <param name="dimension">D.</param>
    /// <param name="settings">How.</param>
    /// <param name="device">Where to compute, for methods that can; the threads of a CPU are those of the others too.</param>
    /// <param name="views">[V, N, D], views of the rows for <c>camsat</c>; empty for views by noise.</param>
    /// <param name="truth">[N], known classes, to measure every epoch of a network against; empty for none.</param>
    /// <param name="progress">Told about iterations; may be null.</param>
    /// <param name="epochs">Told about epochs of a network; may be null.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <exception cref="Spk.Interop.InvalidOptionException">A setting is out of range.</exception>
    /// <exception cref="Spk.Interop.ShapeException">Lengths do not fit together.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static ClusteringOutcome Run(
        ReadOnlySpan<float> rows,
        int dimension,
        ClusteringSettings settings,
        Device device,
        ReadOnlySpan<float> views = default,
        ReadOnlySpan<int> truth = default,
        IProgress<DataProgress>? progress = null,
        IProgress<CamsatEpoch>? epochs = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(settings);
        ArgumentNullException.ThrowIfNull(device);
        int threads = device is CpuDevice cpu ? cpu.Threads : 0;
        switch (settings.Method)
        {
            case "camsat" or "imsat":
                var network = settings.ResolvedNetwork;
                var report = new Relay<CamsatEpoch>(epoch =>
                {
                    progress?.Report(new DataProgress(epoch.Epoch, network.Epochs));
                    epochs?.Report(epoch);
                });
                var found = Engine.Clustering.Camsat.Fit(rows, dimension, network, views, truth, device, report, cancellation);
                return new ClusteringOutcome(found.Labels) { Similarity = found.Confidences, Epochs = found.Epochs };
            case "ahc":
                return Tree(rows, dimension, settings, threads, progress, cancellation);
            case "gmm":
                return Mixture(rows, dimension, settings, device, threads, progress, cancellation);
            case "pseudo":
                var fine = KMeans(rows, dimension, settings, device, 0, progress, cancellation);
                var options = new PseudoLabelOptions
                {
                    Clusters = settings.KMeans.Clusters,
                    UnitLength = settings.KMeans.Metric == ClusterMetric.Cosine,
                    Threads = threads,
                };
                var joined = PseudoLabels.FromCentroids(fine.Centroids, dimension, fine.Labels, options, cancellation);
                return ClusteringOutcome.Of(fine) with { Labels = joined.Labels, Similarity = null, Centroids = null, FirstClusters = fine.Clusters };
            case "kmeans" or "minibatch":
                return ClusteringOutcome.Of(KMeans(rows, dimension, settings, device, 0, progress, cancellation));
            default:
                throw new Spk.Interop.InvalidOptionException($"the clustering method '{settings.Method}' is unknown: there are {string.Join(", ", Names)}.");
        }
    }

    private static ClusteringOutcome Tree(
        ReadOnlySpan<float> rows, int dimension, ClusteringSettings settings, int threads, IProgress<DataProgress>? progress, CancellationToken cancellation)
    {
        var options = new AgglomerativeOptions
        {
            Linkage = settings.Linkage,
            Metric = settings.Linkage == Linkage.Ward ? ClusterMetric.Euclidean : settings.KMeans.Metric,
            Threads = threads,
        };
        var report = new Relay<double>(done => progress?.Report(new DataProgress((int)(100 * done), 100)));
        return new ClusteringOutcome(Agglomerative.Fit(rows, dimension, options, progress: report, cancellation: cancellation).Cut(settings.KMeans.Clusters));
    }

    private static ClusteringOutcome Mixture(
        ReadOnlySpan<float> rows, int dimension, ClusteringSettings settings, Device device, int threads, IProgress<DataProgress>? progress,
        CancellationToken cancellation)
    {
        var options = new GaussianMixtureOptions { Threads = threads };
        var start = KMeans(rows, dimension, settings, device, options.MaximumIterations, progress, cancellation);
        int before = settings.KMeans.Restarts * settings.KMeans.MaximumIterations;
        var report = new Relay<GaussianMixtureProgress>(p => progress?.Report(new DataProgress(before + p.Iteration, before + options.MaximumIterations)));
        var mixture = GaussianMixture.FitFromLabels(rows, dimension, start.Labels, options, report, cancellation);
        return new ClusteringOutcome(mixture.Labels)
        {
            Centroids = mixture.Means,
            Iterations = mixture.Iterations,
            Stop = mixture.Converged ? "tolerance" : "maximumIterations",
            LogLikelihood = mixture.LogLikelihoods[^1],
        };
    }

    private static KMeansResult KMeans(
        ReadOnlySpan<float> rows, int dimension, ClusteringSettings settings, Device device, int stepsAfter, IProgress<DataProgress>? progress,
        CancellationToken cancellation)
    {
        var options = settings.KMeansOf(rows.Length / dimension);
        int steps = (options.Restarts * options.MaximumIterations) + stepsAfter;
        var report = new Relay<KMeansProgress>(p => progress?.Report(new DataProgress((p.Restart * options.MaximumIterations) + p.Iteration, steps)));
        return Engine.Clustering.KMeans.Fit(rows, dimension, options, device: device, progress: report, cancellation: cancellation);
    }

    private sealed class Relay<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
