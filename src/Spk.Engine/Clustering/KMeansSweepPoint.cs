namespace Spk.Engine.Clustering;

/// <summary>Scores of one clustering by name.</summary>
/// <param name="rows">[N, D], the rows that were clustered.</param>
/// <param name="dimension">D.</param>
/// <param name="result">The clustering.</param>
/// <returns>Values by name, such as "silhouette".</returns>
public delegate IReadOnlyDictionary<string, double> ClusteringScorer(ReadOnlySpan<float> rows, int dimension, KMeansResult result);

/// <summary>One K of <see cref="KMeans.SweepK"/>.</summary>
/// <param name="Clusters">K.</param>
/// <param name="Result">The clustering.</param>
/// <param name="Scores">What the scorer made of it; empty without one.</param>
public sealed record KMeansSweepPoint(int Clusters, KMeansResult Result, IReadOnlyDictionary<string, double> Scores);
