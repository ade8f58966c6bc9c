using System.Text.Json.Nodes;
using Spk.Engine.Clustering;
using Spk.Training.PseudoLabelling;
using static System.FormattableString;

namespace Spk.Cli;

/// <summary>Figures of clusterings for people and for scripts.</summary>
internal static class ClusterFigures
{
    /// <summary>A row of a sweep.</summary>
    public static JsonObject Describe(KMeansSweepPoint point)
    {
        var measures = new Dictionary<string, double> { ["inertia"] = point.Result.Inertia };
        if (point.Scores is { } scores)
        {
            ClusterMeasures.Add(measures, scores);
        }

        var row = ToJson(measures);
        row.Insert(0, "k", point.Clusters);
        return row;
    }

    /// <summary>Measures by name.</summary>
    public static JsonObject ToJson(IReadOnlyDictionary<string, double> measures)
    {
        var json = new JsonObject();
        foreach (var (name, value) in measures)
        {
            json[name] = value;
        }

        return json;
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
        ["supCon"] = Known(epoch.SupCon),
        ["mixup"] = Known(epoch.Mixup),
        ["accuracy"] = epoch.Agreement?.Accuracy,
        ["nmi"] = epoch.Agreement?.NormalizedMutualInformation,
        ["ami"] = epoch.Agreement?.AdjustedMutualInformation,
    };

    private static double? Known(double value) => double.IsNaN(value) ? null : value;
}
