namespace Spk.Engine.Clustering;

/// <summary>One K of <see cref="KMeans.SweepK"/>.</summary>
/// <param name="Clusters">K.</param>
/// <param name="Result">The clustering.</param>
/// <param name="Scores">Silhouette, Calinski-Harabasz and Davies-Bouldin; null where they are undefined (one cluster with rows, or every row alone).</param>
public sealed record KMeansSweepPoint(int Clusters, KMeansResult Result, FeatureScores? Scores);
