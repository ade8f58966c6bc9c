namespace Spk.Engine.Ops.Cluster;

/// <summary>What an assignment step adds up over all rows.</summary>
/// <param name="Objective">
/// Euclidean: Σ scale · ‖x − c‖²; cosine: −Σ scale · (x · c). c is the row's own centroid; summed in f64, in an order fixed by the shape.
/// </param>
/// <param name="Changed">Rows whose label is not the one they came with.</param>
public readonly record struct KMeansAssignment(double Objective, int Changed);
