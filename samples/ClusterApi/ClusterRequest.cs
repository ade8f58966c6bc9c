using System.Text.Json.Serialization;
using Spk.Engine.Clustering;

namespace ClusterApi;

/// <summary>Vectors to cluster, and how.</summary>
/// <param name="Vectors">N vectors of the same size.</param>
/// <param name="K">Number of clusters, 1 to N.</param>
/// <param name="Metric">euclidean or cosine.</param>
/// <param name="Method">kmeans, gmm (mixture of Gaussians) or ahc (tree of average distances).</param>
/// <param name="Seed">Seed of everything random: the same request gives the same answer.</param>
[JsonUnmappedMemberHandling(JsonUnmappedMemberHandling.Disallow)]
internal sealed record ClusterRequest(float[][]? Vectors, int? K, string Metric = "euclidean", string Method = "kmeans", ulong Seed = 0);

/// <summary>The clusters.</summary>
/// <param name="Labels">Cluster of every vector, 0 to K − 1.</param>
/// <param name="Counts">Vectors of every cluster.</param>
/// <param name="Inertia">Objective of k-means: squared distances to the own centroids, or minus the similarities to them; null for the other methods.</param>
/// <param name="Scores">Silhouette, Calinski-Harabasz and Davies-Bouldin; null with fewer than 2 or more than N − 1 clusters.</param>
internal sealed record ClusterResponse(int[] Labels, int[] Counts, double? Inertia, FeatureScores? Scores);

/// <summary>JSON without reflection: starts faster, and can be trimmed.</summary>
[JsonSerializable(typeof(ClusterRequest))]
[JsonSerializable(typeof(ClusterResponse))]
internal sealed partial class ClusterJson : JsonSerializerContext;
