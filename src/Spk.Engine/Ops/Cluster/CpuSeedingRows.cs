using Spk.Engine.Clustering;
using Spk.Engine.Devices;

namespace Spk.Engine.Ops.Cluster;

/// <summary>Rows in host memory.</summary>
internal sealed unsafe class CpuSeedingRows : ISeedingRows
{
    private readonly CpuDevice _cpu;
    private readonly SeedingSource _source;

    public CpuSeedingRows(CpuDevice cpu, in SeedingSource source)
    {
        _cpu = cpu;
        _source = source;
        Weights = new float[source.Count];
        Inverse = source.Metric == ClusterMetric.Cosine ? new float[source.Count] : [];
        for (int i = 0; i < source.Count; i++)
        {
            Weights[i] = (float)source.Weight(i);
            if (source.Metric == ClusterMetric.Cosine)
            {
                double length = Math.Sqrt(RowMath.Dot(source.Row(i), source.Row(i), source.Dimension));
                Inverse[i] = length > 0 ? (float)(1 / length) : 0f;
            }
        }
    }

    /// <inheritdoc/>
    public int Count => _source.Count;

    /// <inheritdoc/>
    public ClusterMetric Metric => _source.Metric;

    /// <inheritdoc/>
    public float[] Weights { get; }

    /// <inheritdoc/>
    public float[] Inverse { get; }

    /// <inheritdoc/>
    public void Search(ReadOnlySpan<int> batch, int[] labels, float[] distances, CancellationToken cancellation)
    {
        float[] centroids = new float[(long)batch.Length * _source.Dimension];
        fixed (float* to = centroids, distancePointer = distances)
        fixed (int* labelPointer = labels)
        {
            for (int k = 0; k < batch.Length; k++)
            {
                EmptyClusters.WriteRow(_source.Row(batch[k]), _source.Dimension, _source.Metric, to + ((nint)k * _source.Dimension));
            }

            var request = new NearestCentroidRequest
            {
                Rows = _source.Rows,
                RowStride = _source.RowStride,
                Count = _source.Count,
                Dimension = _source.Dimension,
                Centroids = to,
                CentroidStride = _source.Dimension,
                Clusters = batch.Length,
                Metric = _source.Metric,
                Labels = labelPointer,
                Distances = distancePointer,
            };
            NearestCentroid.Run(_cpu, request, cancellation);
        }
    }

    /// <inheritdoc/>
    public int[] PlusPlus(int[] chosen, double[] weights, int clusters, int candidates, ulong seed, int start, CancellationToken cancellation) =>
        PlusPlusSeeding.Run(_cpu, _source, (chosen, weights), clusters, candidates, seed, start, cancellation);
}
