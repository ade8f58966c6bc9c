using Spk.Engine.Clustering;

namespace Spk.Training.PseudoLabelling;

/// <summary>Measures of clusters under the names that reports, recipes and scripts rely on.</summary>
public static class ClusterMeasures
{
    /// <summary>Points that a silhouette, which needs the distances of all pairs of them, is estimated on.</summary>
    public const int SilhouettePoints = 5000;

    /// <summary>
    /// Those that compare with true classes, where there are any (classes, completeness, nmi, ami, ari, homogeneity, vMeasure, accuracy, purity,
    /// fowlkesMallows), and those of the rows themselves (silhouette, calinskiHarabasz, daviesBouldin, silhouettePoints). What is not defined is missing.
    /// </summary>
    /// <param name="rows">[N, D], row-major, finite.</param>
    /// <param name="dimension">D.</param>
    /// <param name="labels">[N], any ints.</param>
    /// <param name="truth">[N], known classes; empty for none.</param>
    /// <param name="metric">Of the silhouette.</param>
    /// <param name="silhouettePoints">Points that the silhouette is estimated on, 3 or more, or 0 to leave it out.</param>
    /// <param name="seed">Draws them.</param>
    /// <param name="threads">Threads; 0 for one per processor.</param>
    /// <param name="cancellation">Ends it early.</param>
    public static Dictionary<string, double> Of(
        ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<int> labels, ReadOnlySpan<int> truth, ClusterMetric metric,
        int silhouettePoints = SilhouettePoints, ulong seed = 0, int threads = 0, CancellationToken cancellation = default)
    {
        var measures = new Dictionary<string, double>(StringComparer.Ordinal);
        if (!truth.IsEmpty)
        {
            var agreement = LabelMetrics.Compare(truth, labels, threads);
            measures["classes"] = agreement.Classes;
            measures["completeness"] = agreement.Completeness;
            measures["nmi"] = agreement.NormalizedMutualInformation;
            measures["ami"] = agreement.AdjustedMutualInformation;
            measures["ari"] = agreement.AdjustedRandIndex;
            measures["homogeneity"] = agreement.Homogeneity;
            measures["vMeasure"] = agreement.VMeasure;
            measures["accuracy"] = agreement.Accuracy;
            measures["purity"] = agreement.Purity;
            measures["fowlkesMallows"] = agreement.FowlkesMallows;
        }

        // A sample of fewer than 3 rows has no silhouette.
        int sample = labels.Length < 3 ? 0 : Math.Min(silhouettePoints, labels.Length);
        if (FeatureMetrics.Scores(rows, dimension, labels, metric, sample, seed, threads, cancellation) is { } scores)
        {
            Add(measures, scores);
            if (scores.Silhouette is not null)
            {
                measures["silhouettePoints"] = sample;
            }
        }

        return measures;
    }

    /// <summary>Adds measures of the rows themselves.</summary>
    /// <param name="measures">Where to.</param>
    /// <param name="scores">The measures.</param>
    public static void Add(IDictionary<string, double> measures, FeatureScores scores)
    {
        ArgumentNullException.ThrowIfNull(measures);
        ArgumentNullException.ThrowIfNull(scores);
        if (scores.Silhouette is { } silhouette)
        {
            measures["silhouette"] = silhouette;
        }

        measures["calinskiHarabasz"] = scores.CalinskiHarabasz;
        measures["daviesBouldin"] = scores.DaviesBouldin;
    }
}
