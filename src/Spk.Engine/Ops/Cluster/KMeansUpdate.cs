using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Cluster;

/// <summary>The update step of k-means: every centroid becomes the mean of its rows.</summary>
/// <remarks>
/// Rows are sorted by label and summed in f64, in the order of the rows within pieces of fixed length: the bits do not depend on
/// the number of threads, and millions of rows in one cluster lose nothing.
/// </remarks>
public static partial class KMeansUpdate
{
    /// <summary>Recomputes the centroids.</summary>
    /// <param name="device">Where everything lies.</param>
    /// <param name="rows">f32 [N, D].</param>
    /// <param name="scales">f32 [N], factor of every row in its sum, 0 or more (weights; under cosine over the row's length); null for 1.</param>
    /// <param name="labels">i32 [N], 0 to K − 1.</param>
    /// <param name="metric">Euclidean: sum over the factors' sum. Cosine: sum over its own length.</param>
    /// <param name="centroids">
    /// f32 [K, D], in and out. A cluster without rows, whose factors sum to 0, or (cosine) whose sum is zero keeps its centroid.
    /// </param>
    /// <param name="counts">i32 [K], out: rows of every cluster.</param>
    /// <exception cref="ShapeException">Shapes, types or devices do not fit together.</exception>
    public static void Forward(Device device, Tensor rows, Tensor? scales, Tensor labels, ClusterMetric metric, Tensor centroids, Tensor counts)
    {
        ArgumentNullException.ThrowIfNull(device);
        ClusterChecks.RequireMatrix(device, rows, nameof(rows));
        ClusterChecks.RequireMatrix(device, centroids, nameof(centroids), rows.Shape[1]);
        ClusterChecks.RequireVector(device, labels, nameof(labels), rows.Shape[0], ElementType.Int32);
        ClusterChecks.RequireVector(device, counts, nameof(counts), centroids.Shape[0], ElementType.Int32);
        if (scales is not null)
        {
            ClusterChecks.RequireVector(device, scales, nameof(scales), rows.Shape[0], ElementType.Float32);
        }

        if (device is CudaDevice cuda)
        {
            CudaForward(cuda, rows, scales, labels, metric, centroids, counts);
        }
        else
        {
            CpuForward(Cpu.Of(device), rows, scales, labels, metric, centroids, counts);
        }
    }
}
