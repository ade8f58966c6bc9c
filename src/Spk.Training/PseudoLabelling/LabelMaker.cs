using Spk.Engine.Devices;
using Spk.Engine.Scoring;
using Spk.Interop;
using Spk.Training.Data;

namespace Spk.Training.PseudoLabelling;

/// <summary>Pseudo-labels and how good they are.</summary>
/// <param name="Labels">A cluster for every embedding.</param>
/// <param name="Measures">By name: those of <see cref="ClusterMeasures"/> for the rows that were clustered, with speakers where all are known, and clusters.</param>
public sealed record MadeLabels(LabelFile Labels, IReadOnlyDictionary<string, double> Measures);

/// <summary>Embeddings → clusters → pseudo-labels with their measures.</summary>
public static class LabelMaker
{
    /// <summary>Clusters embeddings.</summary>
    /// <param name="embeddings">One an utterance.</param>
    /// <param name="spec">How.</param>
    /// <param name="seed">Of everything random.</param>
    /// <param name="speakerOf">The true speaker of an utterance, for measures only; null where it is not known.</param>
    /// <param name="device">Where to compute.</param>
    /// <param name="views">Views of the embeddings [V, N, D] for <c>camsat</c>, V of 2 or more; empty for views by noise.</param>
    /// <param name="cancellation">Ends it early.</param>
    /// <returns>A row for each embedding, in their order.</returns>
    /// <exception cref="InvalidOptionException">There are fewer embeddings than clusters.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static MadeLabels Make(
        EmbeddingTable embeddings, ClusteringSpec spec, ulong seed, Func<string, string?> speakerOf, Device device, ReadOnlyMemory<float> views = default,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(embeddings);
        ArgumentNullException.ThrowIfNull(spec);
        ArgumentNullException.ThrowIfNull(speakerOf);
        if (spec.Clusters > embeddings.Count)
        {
            throw new InvalidOptionException($"rounds.clusters = {spec.Clusters}: there are {embeddings.Count} utterances to cluster; use fewer clusters.");
        }

        var settings = spec.Settings(seed);
        var rows = spec.Normalization == RowNormalization.UnitLength ? embeddings.Values : Standardize(embeddings);
        var found = ClusteringMethods.Run(rows, embeddings.Dimension, settings, device, views.Span, cancellation: cancellation);
        var labels = new LabelFile([.. embeddings.Ids.Select((id, i) => new LabelRow(id, found.Labels[i], found.Similarity?[i] ?? float.NaN))]);
        var measures = ClusterMeasures.Of(
            rows, embeddings.Dimension, found.Labels, Truth(embeddings.Ids, speakerOf), settings.KMeans.Metric, cancellation: cancellation);
        measures["clusters"] = found.Labels.Distinct().Count();
        return new MadeLabels(labels, measures);
    }

    private static float[] Standardize(EmbeddingTable embeddings)
    {
        int count = embeddings.Count, dimension = embeddings.Dimension;
        float[] rows = embeddings.Values.ToArray();
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

    // Known classes as numbers; none where a speaker is missing.
    private static int[] Truth(IReadOnlyList<string> ids, Func<string, string?> speakerOf)
    {
        string?[] speakers = [.. ids.Select(speakerOf)];
        if (speakers.Contains(null))
        {
            return [];
        }

        var numbers = new Dictionary<string, int>(StringComparer.Ordinal);
        return [.. speakers.Select(s => numbers.TryGetValue(s!, out int known) ? known : numbers[s!] = numbers.Count)];
    }
}
