using System.Runtime.InteropServices;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>The general search of <see cref="NearestCentroid"/>, with the lengths of rows, which bound the rounding of products, measured once.</summary>
internal sealed unsafe class ManyClusters : ILabelSearch
{
    private const int ChunkRows = 512;

    private readonly KMeansData _data;
    private readonly ClusterMetric _metric;
    private readonly int _clusters;
    private readonly float* _norms;

    public ManyClusters(CpuDevice cpu, KMeansData data, ClusterMetric metric, int clusters)
    {
        (_data, _metric, _clusters) = (data, metric, clusters);
        TotalSquares = metric == ClusterMetric.Euclidean ? OwnDistances.TotalSquares(cpu, data) : 0;
        _norms = (float*)NativeMemory.AlignedAlloc((nuint)Bytes(data.Count), 64);
        var body = new NormsBody { Data = data, Norms = _norms };
        cpu.Workers.For((data.Count + ChunkRows - 1) / ChunkRows, ref body);
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

    private struct NormsBody : IParallelBody
    {
        public KMeansData Data;
        public float* Norms;

        public readonly void Run(int index, int worker)
        {
            int first = index * ChunkRows, end = Math.Min(Data.Count, first + ChunkRows);
            for (int i = first; i < end; i++)
            {
                Norms[i] = RowMath.ApproximateNorm(Data.Row(i), Data.Dimension);
            }
        }
    }
}
