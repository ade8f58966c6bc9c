using Spk.Training.PseudoLabelling;

namespace Spk.Training.Reproduction;

/// <summary>The pseudo-labels that a system is trained on: clusters of the training utterances' embeddings by another system of the same seed.</summary>
/// <param name="From">The system whose embeddings are clustered; stands before.</param>
/// <param name="Clustering">How; its number of clusters is replaced.</param>
/// <param name="ClustersPerSpeaker">Number of clusters, in units of the true speakers of the corpus.</param>
public sealed record LabelSource(string From, ClusteringSpec Clustering, double ClustersPerSpeaker)
{
    /// <summary>Short name, also of its file.</summary>
    public string Name => FormattableString.Invariant(
        $"{Clustering.Method}-{ClustersPerSpeaker}S-{(Clustering.Normalization == RowNormalization.UnitLength ? "unit" : "standardized")}");

    /// <summary>The clustering of a corpus of so many speakers.</summary>
    internal ClusteringSpec For(int speakers) => Clustering with { Clusters = Math.Max(2, (int)Math.Round(ClustersPerSpeaker * speakers)) };
}
