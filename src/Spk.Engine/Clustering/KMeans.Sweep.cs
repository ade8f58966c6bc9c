using Spk.Engine.Devices;

namespace Spk.Engine.Clustering;

/// <content>Fits over several K.</content>
public static unsafe partial class KMeans
{
    /// <summary>Clusters the same rows with several K and scores each, to choose one.</summary>
    /// <param name="rows">[N, D], row-major, finite.</param>
    /// <param name="dimension">D.</param>
    /// <param name="clusters">The K to try; each is fitted as <c>Fit</c> alone would.</param>
    /// <param name="options">For all of them; <see cref="KMeansOptions.Clusters"/> comes from the list.</param>
    /// <param name="silhouetteSample">
    /// Points that the silhouette is computed on, 3 to N, the same for every K, drawn by the seed of the options; null for all of them (exact,
    /// O(N²) for each K), 0 for no silhouette.
    /// </param>
    /// <param name="weights">[N] or empty. They count in the fits, not in the scores.</param>
    /// <param name="device">Where to fit; null for the CPU with all processors. Scores are computed on the CPU.</param>
    /// <param name="progress">Receives every K as soon as it is done, on this thread.</param>
    /// <param name="cancellation">Looked at several times a second.</param>
    /// <returns>One point a K, in the order given.</returns>
    /// <inheritdoc cref="Fit(ReadOnlySpan{float}, int, KMeansOptions, ReadOnlySpan{float}, ReadOnlySpan{float}, Device, IProgress{KMeansProgress}, CancellationToken)" path="/exception"/>
    public static IReadOnlyList<KMeansSweepPoint> SweepK(
        ReadOnlySpan<float> rows,
        int dimension,
        IReadOnlyList<int> clusters,
        KMeansOptions options,
        int? silhouetteSample = null,
        ReadOnlySpan<float> weights = default,
        Device? device = null,
        IProgress<KMeansSweepPoint>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(clusters);
        ArgumentNullException.ThrowIfNull(options);
        using var own = device is null ? new CpuDevice() : null;
        var computing = device ?? own!;
        int threads = computing is CpuDevice cpu ? cpu.Threads : 0;
        var points = new KMeansSweepPoint[clusters.Count];
        for (int i = 0; i < points.Length; i++)
        {
            var result = Fit(rows, dimension, options with { Clusters = clusters[i] }, default, weights, computing, null, cancellation);
            var scores = FeatureMetrics.Scores(
                rows, dimension, result.Labels, options.Metric, silhouetteSample, options.Seed, threads, cancellation);
            points[i] = new KMeansSweepPoint(clusters[i], result, scores);
            progress?.Report(points[i]);
        }

        return points;
    }
}
