using System.Globalization;
using Spk.Interop;

namespace Spk.Training.Positives;

/// <summary>Where the positive of an anchor comes from.</summary>
public enum PositiveSource
{
    /// <summary>Another crop of the same utterance: plain SimCLR, MoCo or DINO.</summary>
    SameUtterance,

    /// <summary>Another utterance of the anchor's cluster, or of one of the clusters nearest to it.</summary>
    Clusters,

    /// <summary>One of the utterances nearest to the anchor.</summary>
    Nearest,

    /// <summary>The centroid of the anchor's cluster itself.</summary>
    Centroid,
}

/// <summary>
/// Self-supervised positive sampling, SSPS (Lepage and Dehak 2025, methods.md 8): from some epoch on, the same-utterance positive,
/// which shares the anchor's recording, is replaced by a stored embedding of another utterance that is believed to be of the same speaker.
/// </summary>
public sealed record PositiveSamplingSpec
{
    /// <summary>Where positives come from once sampling has begun.</summary>
    public PositiveSource Source { get; init; }

    /// <summary>Epochs of plain training before, 1 or more: clusters of an untrained encoder are clusters of channels.</summary>
    public int StartEpoch { get; init; } = 10;

    /// <summary>K, clusters of all training utterances, 2 or more. About the number of speakers with <see cref="Neighbours"/> 0, several times as many else.</summary>
    public int Clusters { get; init; } = 25_000;

    /// <summary>
    /// M. Clusters: positives come from the M clusters nearest to the anchor's, its own left out, or from its own where M is 0. Nearest:
    /// from the M nearest utterances, 1 or more.
    /// </summary>
    public int Neighbours { get; init; } = 1;

    /// <summary>Embeddings of past positives to choose from; what fills no whole batch is dropped.</summary>
    public int QueueSize { get; init; } = 25_000;

    /// <summary>Iterations of spherical k-means at the beginning of every epoch.</summary>
    public int Iterations { get; init; } = 10;

    /// <summary>Length of the clean segment that represents an utterance, seconds.</summary>
    public float ReferenceSeconds { get; init; } = 4;

    /// <summary>
    /// Whether the utterance is drawn from the whole cluster, and the anchor keeps its own positive where the drawn one is not stored
    /// (as published), or from the stored ones only (as in the authors' program; more anchors get a new positive).
    /// </summary>
    public bool WholeCluster { get; init; }

    /// <summary>λ of the weight e^(−λ r) of the neighbour of rank r; 0 makes all equally likely.</summary>
    public float RankDecay { get; init; }

    /// <summary>Checks every field.</summary>
    /// <exception cref="InvalidOptionException">A field is out of range; the message names it.</exception>
    public void Validate()
    {
        Require(StartEpoch >= 1, "startEpoch", StartEpoch, "1 or more");
        Require(Clusters >= 2, "clusters", Clusters, "2 or more");
        Require(Neighbours >= (Source == PositiveSource.Nearest ? 1 : 0), "neighbours", Neighbours, Source == PositiveSource.Nearest ? "1 or more with source nearest" : "0 or more");
        Require(Neighbours < Clusters || Source != PositiveSource.Clusters, "neighbours", Neighbours, "below ssps.clusters");
        Require(QueueSize >= 1, "queueSize", QueueSize, "1 or more");
        Require(Iterations >= 1, "iterations", Iterations, "1 or more");
        Require(ReferenceSeconds > 0, "referenceSeconds", ReferenceSeconds, "above 0");
        Require(RankDecay >= 0 && float.IsFinite(RankDecay), "rankDecay", RankDecay, "0 or more");
    }

    private static void Require(bool holds, string field, double value, string allowed)
    {
        if (!holds)
        {
            throw new InvalidOptionException($"ssps.{field} = {value.ToString(CultureInfo.InvariantCulture)} is out of range: allowed is {allowed}.");
        }
    }
}
