using System.Text.Json.Nodes;
using Spk.Engine.Clustering;

namespace Spk.Cli;

/// <summary>Measures of clusters under the names that scripts rely on.</summary>
internal static class ClusterFigures
{
    /// <summary>All measures: those that compare with true classes, where there are any, and those of the rows themselves, where they are defined.</summary>
    public static JsonObject Measure(
        ClusterInput input, int[] labels, int[]? truth, ClusterMetric metric, int silhouettePoints, ulong seed, int threads, CancellationToken cancellation)
    {
        var metrics = new JsonObject();
        if (truth is not null)
        {
            var agreement = LabelMetrics.Compare(truth, labels, threads);
            metrics["classes"] = agreement.Classes;
            metrics["completeness"] = agreement.Completeness;
            metrics["nmi"] = agreement.NormalizedMutualInformation;
            metrics["ami"] = agreement.AdjustedMutualInformation;
            metrics["ari"] = agreement.AdjustedRandIndex;
            metrics["homogeneity"] = agreement.Homogeneity;
            metrics["vMeasure"] = agreement.VMeasure;
            metrics["accuracy"] = agreement.Accuracy;
            metrics["purity"] = agreement.Purity;
            metrics["fowlkesMallows"] = agreement.FowlkesMallows;
        }

        // A sample of fewer than 3 rows has no silhouette.
        int sample = input.Count < 3 ? 0 : Math.Min(silhouettePoints, input.Count);
        if (FeatureMetrics.Scores(input.Values, input.Dimension, labels, metric, sample, seed, threads, cancellation) is { } scores)
        {
            Add(metrics, scores);
            if (scores.Silhouette is not null)
            {
                metrics["silhouettePoints"] = sample;
            }
        }

        return metrics;
    }

    /// <summary>A row of a sweep.</summary>
    public static JsonObject Describe(KMeansSweepPoint point)
    {
        var row = new JsonObject { ["k"] = point.Clusters, ["inertia"] = point.Result.Inertia };
        if (point.Scores is { } scores)
        {
            Add(row, scores);
        }

        return row;
    }

    private static void Add(JsonObject figures, FeatureScores scores)
    {
        figures["silhouette"] = scores.Silhouette;
        figures["calinskiHarabasz"] = scores.CalinskiHarabasz;
        figures["daviesBouldin"] = scores.DaviesBouldin;
    }
}
