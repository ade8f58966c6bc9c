using System.Text.Json.Nodes;
using Spk.Engine.Clustering;
using static System.FormattableString;

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

    /// <summary>A line about an epoch of camsat or imsat.</summary>
    public static string Describe(CamsatEpoch epoch)
    {
        string known = epoch.Agreement is { } a
            ? Invariant($", accuracy {a.Accuracy:0.000}, NMI {a.NormalizedMutualInformation:0.000}, AMI {a.AdjustedMutualInformation:0.000}") : "";
        return Invariant($"epoch {epoch.Epoch}: loss {epoch.Loss:0.0000}, {epoch.Clusters} clusters, label entropy {epoch.LabelEntropy:0.000}{known}");
    }

    /// <summary>The same for scripts; a term that is not used is null.</summary>
    public static JsonObject ToJson(CamsatEpoch epoch) => new()
    {
        ["epoch"] = epoch.Epoch,
        ["clusters"] = epoch.Clusters,
        ["labelEntropy"] = epoch.LabelEntropy,
        ["loss"] = epoch.Loss,
        ["conditionalEntropy"] = epoch.ConditionalEntropy,
        ["marginalEntropy"] = epoch.MarginalEntropy,
        ["adversarial"] = Known(epoch.Adversarial),
        ["consistency"] = Known(epoch.Consistency),
        ["symmetry"] = Known(epoch.Symmetry),
        ["infoNce"] = Known(epoch.InfoNce),
        ["accuracy"] = epoch.Agreement?.Accuracy,
        ["nmi"] = epoch.Agreement?.NormalizedMutualInformation,
        ["ami"] = epoch.Agreement?.AdjustedMutualInformation,
    };

    private static double? Known(double value) => double.IsNaN(value) ? null : value;

    private static void Add(JsonObject figures, FeatureScores scores)
    {
        figures["silhouette"] = scores.Silhouette;
        figures["calinskiHarabasz"] = scores.CalinskiHarabasz;
        figures["daviesBouldin"] = scores.DaviesBouldin;
    }
}
