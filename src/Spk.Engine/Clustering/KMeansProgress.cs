namespace Spk.Engine.Clustering;

/// <summary>State after one iteration.</summary>
/// <param name="Restart">Which start, from 0.</param>
/// <param name="Iteration">Iterations made in this start, from 1.</param>
/// <param name="Inertia">Objective of this iteration's labels; see <see cref="KMeansResult.InertiaPerIteration"/>.</param>
/// <param name="ChangedRows">Rows whose label changed.</param>
/// <param name="EmptyClusters">Clusters without rows, before the policy for them is applied.</param>
/// <param name="Elapsed">Time since the call.</param>
public readonly record struct KMeansProgress(int Restart, int Iteration, double Inertia, int ChangedRows, int EmptyClusters, TimeSpan Elapsed);
