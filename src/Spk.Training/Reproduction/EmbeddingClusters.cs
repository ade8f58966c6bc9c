using Spk.Engine.Clustering;
using Spk.Engine.Scoring;
using Spk.Training.Data;
using Spk.Training.Evaluation;

namespace Spk.Training.Reproduction;

/// <summary>
/// What embeddings group themselves by: they are clustered by cosine into as many clusters as there are speakers, and again into as many as there
/// are channels, and the clusters are compared with those labels.
/// </summary>
internal static class EmbeddingClusters
{
    /// <summary>Normalized and adjusted mutual information, by name.</summary>
    /// <param name="embeddings">Embeddings of the evaluation utterances.</param>
    /// <param name="root">Corpus whose <c>eval.csv</c> names speakers and channels; without it speakers are read off the paths.</param>
    /// <param name="channels">Whether the manifest's sessions are channels, named alike wherever they occur.</param>
    public static IEnumerable<KeyValuePair<string, double>> Measure(EmbeddingTable embeddings, string root, bool channels)
    {
        string path = Path.Combine(root, "eval.csv");
        var utterances = File.Exists(path) ? Manifest.Load(path, root).Utterances.ToDictionary(u => u.Id, StringComparer.Ordinal) : [];
        string[] speakers = [.. embeddings.Ids.Select(id => utterances.GetValueOrDefault(id)?.Speaker ?? SpeakerFolders.Speaker(id))];
        foreach (var found in Compare(embeddings, speakers, "speaker"))
        {
            yield return found;
        }

        if (channels)
        {
            foreach (var found in Compare(embeddings, [.. embeddings.Ids.Select(id => utterances.GetValueOrDefault(id)?.Session ?? "")], "session"))
            {
                yield return found;
            }
        }
    }

    private static KeyValuePair<string, double>[] Compare(EmbeddingTable embeddings, string[] labels, string name)
    {
        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        int[] truth = [.. labels.Select(l => numbers.TryGetValue(l, out int known) ? known : numbers[l] = numbers.Count)];
        if (numbers.Count < 2 || numbers.Count > embeddings.Count - embeddings.ZeroRows)
        {
            return [];
        }

        var clusters = KMeans.Fit(
            embeddings.Values, embeddings.Dimension, new KMeansOptions { Clusters = numbers.Count, Metric = ClusterMetric.Cosine, Restarts = 5 });
        var agreement = LabelMetrics.Compare(truth, clusters.Labels);
        return [new(name + "Nmi", agreement.NormalizedMutualInformation), new(name + "Ami", agreement.AdjustedMutualInformation)];
    }
}
