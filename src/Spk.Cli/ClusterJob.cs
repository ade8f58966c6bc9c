using Spk.Engine.Clustering;
using Spk.Training.Data;

namespace Spk.Cli;

/// <summary>What the command line asks for.</summary>
/// <param name="Method">camsat, imsat, kmeans, minibatch, gmm, ahc or pseudo.</param>
/// <param name="KMeans">K, metric, and everything about k-means, which most methods begin with.</param>
/// <param name="Linkage">Of ahc.</param>
/// <param name="FirstClusters">K-means clusters of pseudo; 0 for 5 K.</param>
/// <param name="Camsat">Of camsat and imsat.</param>
internal sealed record ClusterSettings(string Method, KMeansOptions KMeans, Linkage Linkage, int FirstClusters, CamsatOptions Camsat);

/// <summary>Clusters, and how they were reached; null is what a method does not have.</summary>
/// <param name="Labels">[N], from 0.</param>
/// <param name="Centroids">[K, D].</param>
/// <param name="Inertia">Objective of k-means.</param>
/// <param name="Iterations">Of k-means, or rounds of the mixture.</param>
/// <param name="Stop">Why these ended.</param>
internal sealed record ClusterOutcome(int[] Labels, float[]? Centroids, double? Inertia, int? Iterations, string? Stop)
{
    /// <summary>Mean log-likelihood of a row under the mixture, in nats.</summary>
    public double? LogLikelihood { get; init; }

    /// <summary>K-means clusters that were joined to the labels: what inertia, iterations and stop are of.</summary>
    public int? FirstClusters { get; init; }

    /// <summary>Course of camsat and imsat.</summary>
    public IReadOnlyList<CamsatEpoch> Epochs { get; init; } = [];
}

/// <summary>Runs one method on rows from a file.</summary>
internal sealed class ClusterJob(ClusterInput input, int[]? truth, ClusterSettings settings, CommandContext context, IProgress<DataProgress> progress)
{
    private readonly int _steps = settings.KMeans.Restarts * settings.KMeans.MaximumIterations;

    public ClusterOutcome Run() => settings.Method switch
    {
        "camsat" or "imsat" => Network(),
        "ahc" => Tree(),
        "gmm" => Mixture(),
        "pseudo" => Pseudo(),
        _ => Outcome(KMeansOf(settings.KMeans.Clusters, 0)),
    };

    /// <summary>K-means for several K, scored.</summary>
    public IReadOnlyList<KMeansSweepPoint> Sweep(IReadOnlyList<int> clusters, int silhouettePoints)
    {
        int done = 0;
        using var device = context.OpenDevice();
        return KMeans.SweepK(
            input.Values,
            input.Dimension,
            clusters,
            settings.KMeans,
            Math.Min(silhouettePoints, input.Count),
            device: device,
            progress: new Relay<KMeansSweepPoint>(_ => progress.Report(new DataProgress(++done, clusters.Count))),
            cancellation: context.Stop);
    }

    public static ClusterOutcome Outcome(KMeansResult result) =>
        new(result.Labels, result.Centroids, result.Inertia, result.Iterations, Stop(result));

    private ClusterOutcome Network()
    {
        var report = new Relay<CamsatEpoch>(epoch =>
        {
            progress.Report(new DataProgress(epoch.Epoch, settings.Camsat.Epochs));
            if (context.Verbose)
            {
                context.Note(ClusterFigures.Describe(epoch));
            }
        });
        using var device = context.OpenDevice();
        var result = Camsat.Fit(input.Values, input.Dimension, settings.Camsat, input.Views, truth, device, report, context.Stop);
        return new ClusterOutcome(result.Labels, null, null, null, null) { Epochs = result.Epochs };
    }

    private ClusterOutcome Tree()
    {
        var options = new AgglomerativeOptions { Linkage = settings.Linkage, Metric = settings.KMeans.Metric, Threads = context.Threads };
        var report = new Relay<double>(done => progress.Report(new DataProgress((int)(100 * done), 100)));
        var tree = Agglomerative.Fit(input.Values, input.Dimension, options, progress: report, cancellation: context.Stop);
        return new ClusterOutcome(tree.Cut(settings.KMeans.Clusters), null, null, null, null);
    }

    private ClusterOutcome Mixture()
    {
        var options = new GaussianMixtureOptions { Threads = context.Threads };
        var start = KMeansOf(settings.KMeans.Clusters, options.MaximumIterations);
        var report = new Relay<GaussianMixtureProgress>(p => progress.Report(new DataProgress(_steps + p.Iteration, _steps + options.MaximumIterations)));
        var mixture = GaussianMixture.FitFromLabels(input.Values, input.Dimension, start.Labels, options, report, context.Stop);
        return new ClusterOutcome(mixture.Labels, mixture.Means, null, mixture.Iterations, mixture.Converged ? "tolerance" : "maximumIterations")
        {
            LogLikelihood = mixture.LogLikelihoods[^1],
        };
    }

    private ClusterOutcome Pseudo()
    {
        int clusters = settings.KMeans.Clusters, first = settings.FirstClusters > 0 ? settings.FirstClusters : (int)Math.Min(5L * clusters, input.Count);
        var fine = KMeansOf(first, 0);
        var options = new PseudoLabelOptions { Clusters = clusters, UnitLength = settings.KMeans.Metric == ClusterMetric.Cosine, Threads = context.Threads };
        var joined = PseudoLabels.FromCentroids(fine.Centroids, input.Dimension, fine.Labels, options, context.Stop);
        return new ClusterOutcome(joined.Labels, null, fine.Inertia, fine.Iterations, Stop(fine)) { FirstClusters = first };
    }

    private KMeansResult KMeansOf(int clusters, int stepsAfter)
    {
        var options = settings.KMeans with { Clusters = clusters };
        var report = new Relay<KMeansProgress>(
            p => progress.Report(new DataProgress((p.Restart * options.MaximumIterations) + p.Iteration, _steps + stepsAfter)));
        using var device = context.OpenDevice();
        return KMeans.Fit(input.Values, input.Dimension, options, device: device, progress: report, cancellation: context.Stop);
    }

    private static string Stop(KMeansResult result)
    {
        string name = result.Stop.ToString();
        return char.ToLowerInvariant(name[0]) + name[1..];
    }

    private sealed class Relay<T>(Action<T> report) : IProgress<T>
    {
        public void Report(T value) => report(value);
    }
}
