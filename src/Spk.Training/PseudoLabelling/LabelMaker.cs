using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.PseudoLabelling;

/// <summary>Pseudo-labels and how good they are.</summary>
/// <param name="Labels">A cluster for every embedding.</param>
/// <param name="Measures">
/// By name: clusters, silhouette, calinskiHarabasz, daviesBouldin of the rows that were clustered and, where all speakers are known, completeness,
/// nmi, ami, ari, homogeneity, accuracy, purity, fowlkesMallows. What is not defined is missing.
/// </param>
public sealed record MadeLabels(LabelFile Labels, IReadOnlyDictionary<string, double> Measures);

/// <summary>Embeddings → clusters → pseudo-labels with their measures.</summary>
public static class LabelMaker
{
    // A silhouette needs the distances of all pairs of its points.
    private const int SilhouettePoints = 5000;

    /// <summary>Clusters embeddings.</summary>
    /// <param name="embeddings">One an utterance.</param>
    /// <param name="spec">How.</param>
    /// <param name="seed">Of everything random.</param>
    /// <param name="speakerOf">The true speaker of an utterance, for measures only; null where it is not known.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>A row for each embedding, in their order.</returns>
    /// <exception cref="InvalidOptionException">There are fewer embeddings than clusters.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static MadeLabels Make(
        EmbeddingTable embeddings, ClusteringSpec spec, ulong seed, Func<string, string?> speakerOf, Device device, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(speakerOf);
        if (spec.Clusters > embeddings.Count)
        {
            throw new InvalidOptionException($"rounds.clusters = {spec.Clusters}: there are {embeddings.Count} utterances to cluster; use fewer clusters.");
        }

        float[] rows = Normalize(embeddings, spec.Normalization);
        var found = ClusteringMethods.Run(new ClusteringRequest(rows, embeddings.Dimension, spec, seed, device, cancellation));
        var labels = new LabelFile([.. embeddings.Ids.Select((id, i) => new LabelRow(id, found.Labels[i], found.Similarity?[i] ?? float.NaN))]);
        return new MadeLabels(labels, Measure(rows, embeddings, found.Labels, spec, speakerOf, cancellation));
    }

    private static float[] Normalize(EmbeddingTable embeddings, RowNormalization normalization)
    {
        int count = embeddings.Count, dimension = embeddings.Dimension;
        float[] rows = embeddings.Values.ToArray();
        if (normalization == RowNormalization.UnitLength)
        {
            return rows;
        }

        for (int d = 0; d < dimension; d++)
        {
            double sum = 0, squares = 0;
            for (int i = 0; i < count; i++)
            {
                rows[(i * dimension) + d] *= embeddings.Lengths[i];
                sum += rows[(i * dimension) + d];
            }

            double mean = sum / count;
            for (int i = 0; i < count; i++)
            {
                double difference = rows[(i * dimension) + d] - mean;
                squares += difference * difference;
            }

            // An element that never changes tells nothing and stays 0.
            double scale = squares > 0 ? 1 / Math.Sqrt(squares / count) : 0;
            for (int i = 0; i < count; i++)
            {
                rows[(i * dimension) + d] = (float)((rows[(i * dimension) + d] - mean) * scale);
            }
        }

        return rows;
    }

    private static Dictionary<string, double> Measure(
        float[] rows, EmbeddingTable embeddings, int[] labels, ClusteringSpec spec, Func<string, string?> speakerOf, CancellationToken cancellation)
    {
        var measures = new Dictionary<string, double>(StringComparer.Ordinal) { ["clusters"] = labels.Distinct().Count() };
        string?[] speakers = [.. embeddings.Ids.Select(speakerOf)];
        if (!speakers.Contains(null))
        {
            var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
            int[] truth = [.. speakers.Select(s => numbers.TryGetValue(s!, out int known) ? known : numbers[s!] = numbers.Count)];
            var agreement = LabelMetrics.Compare(truth, labels);
            measures["accuracy"] = agreement.Accuracy;
            measures["ami"] = agreement.AdjustedMutualInformation;
            measures["nmi"] = agreement.NormalizedMutualInformation;
            measures["ari"] = agreement.AdjustedRandIndex;
            measures["completeness"] = agreement.Completeness;
            measures["homogeneity"] = agreement.Homogeneity;
            measures["fowlkesMallows"] = agreement.FowlkesMallows;
            measures["purity"] = agreement.Purity;
        }

        var metric = spec.Normalization == RowNormalization.UnitLength ? ClusterMetric.Cosine : ClusterMetric.Euclidean;
        if (embeddings.Count >= 3
            && FeatureMetrics.Scores(rows, embeddings.Dimension, labels, metric, Math.Min(SilhouettePoints, embeddings.Count), cancellation: cancellation) is { } scores)
        {
            measures["calinskiHarabasz"] = scores.CalinskiHarabasz;
            measures["daviesBouldin"] = scores.DaviesBouldin;
            if (scores.Silhouette is { } silhouette)
            {
                measures["silhouette"] = silhouette;
            }
        }

        return measures;
    }
}
