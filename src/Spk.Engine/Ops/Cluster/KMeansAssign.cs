using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Cluster;

/// <summary>
/// The assignment step of k-means: the nearest centroid of every row. It is a tiled matrix product with a running maximum; the
/// N × K matrix is never stored.
/// </summary>
/// <remarks>
/// Labels are those of f64 arithmetic on the f32 inputs: where the f32 product leaves two centroids closer than its own error
/// bound, they are compared again in f64. Equal distances go to the lowest index. Bits do not depend on the number of threads.
/// </remarks>
public static partial class KMeansAssign
{
    /// <summary>Labels every row.</summary>
    /// <param name="device">Where everything lies.</param>
    /// <param name="rows">f32 [N, D], finite.</param>
    /// <param name="scales">f32 [N], factors of the rows in the objective (weights; under cosine over the row's length); null for 1.</param>
    /// <param name="centroids">f32 [K, D], K of 1 or more. Under cosine the largest dot product wins: callers keep them at unit length.</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="labels">i32 [N]. In: labels to count changes against. Out: index of the nearest centroid.</param>
    /// <param name="distances">f32 [N], out. Euclidean: squared distance to the own centroid. Cosine: dot product with it.</param>
    /// <param name="cancellation">Looked at about ten times a second.</param>
    /// <returns>The objective and the number of changed labels.</returns>
    /// <exception cref="ShapeException">Shapes, types or devices do not fit together.</exception>
    /// <exception cref="OperationCanceledException">Cancelled; labels and distances are then partly written.</exception>
    public static KMeansAssignment Forward(
        Device device,
        Tensor rows,
        Tensor? scales,
        Tensor centroids,
        ClusterMetric metric,
        Tensor labels,
        Tensor distances,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        ClusterChecks.RequireMatrix(device, rows, nameof(rows));
        int count = rows.Shape[0];
        ClusterChecks.RequireMatrix(device, centroids, nameof(centroids), rows.Shape[1]);
        ClusterChecks.RequireVector(device, labels, nameof(labels), count, ElementType.Int32);
        ClusterChecks.RequireVector(device, distances, nameof(distances), count, ElementType.Float32);
        if (scales is not null)
        {
            ClusterChecks.RequireVector(device, scales, nameof(scales), count, ElementType.Float32);
        }

        if (centroids.Shape[0] == 0 || rows.Shape[1] == 0)
        {
            throw new ShapeException($"Rows [{count}, {rows.Shape[1]}] cannot be assigned to {centroids.Shape[0]} centroids: at least one centroid and one column are needed.");
        }

        return device is CudaDevice cuda
            ? CudaForward(cuda, rows, scales, centroids, metric, labels, distances)
            : CpuForward(Cpu.Of(device), rows, scales, centroids, metric, labels, distances, cancellation);
    }
}
