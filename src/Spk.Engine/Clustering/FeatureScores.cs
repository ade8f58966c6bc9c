namespace Spk.Engine.Clustering;

/// <summary>What <see cref="FeatureMetrics"/> says of one clustering.</summary>
/// <param name="Silhouette">Mean silhouette, −1 to 1, higher is better; null where it was left out, or its sample fell into fewer than 2 clusters or single points.</param>
/// <param name="CalinskiHarabasz">At least 0, higher is better.</param>
/// <param name="DaviesBouldin">At least 0, lower is better.</param>
public sealed record FeatureScores(double? Silhouette, double CalinskiHarabasz, double DaviesBouldin);
