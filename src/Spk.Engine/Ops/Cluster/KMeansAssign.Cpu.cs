using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Cluster;

/// <content>The CPU side.</content>
public static unsafe partial class KMeansAssign
{
    private static KMeansAssignment CpuForward(
        CpuDevice cpu, Tensor rows, Tensor? scales, Tensor centroids, ClusterMetric metric, Tensor labels, Tensor distances, CancellationToken cancellation) =>
        NearestCentroid.Run(
            cpu,
            new NearestCentroidRequest
            {
                Rows = rows.Data,
                RowStride = rows.RowStride,
                Count = rows.Shape[0],
                Dimension = rows.Shape[1],
                Scales = scales is null ? null : scales.Data,
                Centroids = centroids.Data,
                CentroidStride = centroids.RowStride,
                Clusters = centroids.Shape[0],
                Metric = metric,
                Labels = labels.IntData,
                Distances = distances.Data,
            },
            cancellation);
}
