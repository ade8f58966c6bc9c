using Spk.Engine.Devices;

namespace Spk.Engine.Clustering;

/// <summary>
/// Labels rows in host memory again and again, for other centroids each time. What only the rows decide is found once, and distances are not measured:
/// the objective of an iteration follows from the sums of its update.
/// </summary>
internal unsafe interface ILabelSearch : IDisposable
{
    /// <summary>Σ scale · ‖x‖², from which the objective is found without looking at every row again; 0 under cosine.</summary>
    double TotalSquares { get; }

    /// <summary>Labels all rows; returns how many labels changed.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="centroids">[K, D].</param>
    /// <param name="labels">[N]. In: labels to count changes against. Out: the nearest centroid of each row.</param>
    /// <param name="cancellation">Looked at several times a second.</param>
    int Assign(CpuDevice cpu, float* centroids, int* labels, CancellationToken cancellation);
}
