using System.Runtime.InteropServices;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>The general search of <see cref="NearestCentroid"/>, with the lengths of rows, which bound the rounding of products, measured once.</summary>
internal sealed unsafe class ManyClusters : ILabelSearch
{
    private readonly KMeansData _data;
    private readonly ClusterMetric _metric;
    private readonly int _clusters;
    private readonly float* _norms;

    public ManyClusters(CpuDevice cpu, KMeansData data, ClusterMetric metric, int clusters)
    {
        (_data, _metric, _clusters) = (data, metric, clusters);
        _norms = (float*)NativeMemory.AlignedAlloc((nuint)Bytes(data.Count), 64);
        double squares = RowLengths.Measure(cpu, data, _norms);
        TotalSquares = metric == ClusterMetric.Euclidean ? squares : 0;
    }

    /// <inheritdoc/>
    public double TotalSquares { get; }

    /// <summary>Bytes of memory of one.</summary>
    public static long Bytes(int count) => Math.Max(1, count) * (long)sizeof(float);

    /// <inheritdoc/>
    public int Assign(CpuDevice cpu, float* centroids, int* labels, CancellationToken cancellation) => NearestCentroid.Run(
        cpu,
        new NearestCentroidRequest
        {
            Rows = _data.Rows,
            RowStride = _data.Dimension,
            Count = _data.Count,
            Dimension = _data.Dimension,
            Norms = _norms,
            Centroids = centroids,
            CentroidStride = _data.Dimension,
            Clusters = _clusters,
            Metric = _metric,
            Labels = labels,
        },
        cancellation).Changed;

    public void Dispose() => NativeMemory.AlignedFree(_norms);
}
