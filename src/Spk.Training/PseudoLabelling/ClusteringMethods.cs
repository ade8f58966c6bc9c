using Spk.Engine.Clustering;
using Spk.Engine.Devices;

namespace Spk.Training.PseudoLabelling;

/// <summary>Rows to cluster.</summary>
/// <param name="Rows">Row-major [N, D], normalised as the spec says.</param>
/// <param name="Dimension">D.</param>
/// <param name="Spec">What is asked for.</param>
/// <param name="Seed">Of everything random.</param>
/// <param name="Device">Where to compute, for methods that can.</param>
/// <param name="Cancellation">Ends it early.</param>
internal sealed record ClusteringRequest(float[] Rows, int Dimension, ClusteringSpec Spec, ulong Seed, Device Device, CancellationToken Cancellation)
{
    public int Count => Rows.Length / Dimension;

    public KMeansOptions KMeansOptions(int clusters) => new()
    {
        Clusters = clusters,
        Metric = Spec.Normalization == RowNormalization.UnitLength ? ClusterMetric.Cosine : ClusterMetric.Euclidean,
        Restarts = Spec.Restarts,
        Seed = Seed,
    };

    public KMeansResult KMeans(int clusters) => Engine.Clustering.KMeans.Fit(Rows, Dimension, KMeansOptions(clusters), device: Device, cancellation: Cancellation);
}

/// <summary>Clusters of rows.</summary>
/// <param name="Labels">[N], from 0.</param>
/// <param name="Similarity">How near each row lies to its centroid, high is near; null where a method has no centroids.</param>
internal sealed record ClusteredRows(int[] Labels, float[]? Similarity = null);

/// <summary>The ways to make pseudo-labels, by the names that recipes and <c>spk cluster</c> use.</summary>
public static class ClusteringMethods
{
    private static readonly Dictionary<string, Func<ClusteringRequest, ClusteredRows>> All = new(StringComparer.Ordinal)
    {
        ["kmeans"] = KMeans,
        ["gmm"] = Mixture,
        ["ahc"] = Tree,
        ["pseudo"] = Joined,
    };

    /// <summary>Their names.</summary>
    public static IReadOnlyList<string> Names { get; } = [.. All.Keys];

    internal static ClusteredRows Run(ClusteringRequest request) => All[request.Spec.Method](request);

    private static ClusteredRows KMeans(ClusteringRequest request)
    {
        var found = request.KMeans(request.Spec.Clusters);
        return new ClusteredRows(found.Labels, found.OwnSimilarity);
    }

    private static ClusteredRows Mixture(ClusteringRequest request)
    {
        var start = request.KMeans(request.Spec.Clusters);
        return new ClusteredRows(GaussianMixture.FitFromLabels(request.Rows, request.Dimension, start.Labels, cancellation: request.Cancellation).Labels);
    }

    // Ward wants Euclidean distances; between unit rows they order pairs as cosines do.
    private static ClusteredRows Tree(ClusteringRequest request) =>
        new(Agglomerative.Fit(request.Rows, request.Dimension, new AgglomerativeOptions(), cancellation: request.Cancellation).Cut(request.Spec.Clusters));

    private static ClusteredRows Joined(ClusteringRequest request)
    {
        int clusters = request.Spec.Clusters, first = request.Spec.FirstClusters > 0 ? request.Spec.FirstClusters : (int)Math.Min(5L * clusters, request.Count);
        var fine = request.KMeans(first);
        var options = new PseudoLabelOptions { Clusters = clusters, UnitLength = request.Spec.Normalization == RowNormalization.UnitLength };
        return new ClusteredRows(Engine.Clustering.PseudoLabels.FromCentroids(fine.Centroids, request.Dimension, fine.Labels, options, request.Cancellation).Labels);
    }
}
