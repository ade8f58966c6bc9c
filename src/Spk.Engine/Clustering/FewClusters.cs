using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>
/// Assignment for few clusters and few rows. The general search treats centroids as the columns of a product and rounds their number up
/// to a whole strip, which for 20 clusters wastes a third of the work, and it packs the rows anew in every iteration. Here rows are
/// the columns, packed once; a lane holds one row, so that the running maximum needs no exchange between lanes. Labels are the same.
/// </summary>
internal sealed unsafe class FewClusters : ILabelSearch
{
    // Rows packed for the whole run take as much memory again as the rows: only while that is small.
    private const long LargestCopy = 4 << 20;
    private const int MostClusters = 96;

    private readonly KMeansData _data;
    private readonly ClusterMetric _metric;
    private readonly int _clusters;
    private readonly long _packed, _norms, _centroids, _offsets, _changed, _workers, _workerBytes;
    private readonly byte* _memory;

    private FewClusters(CpuDevice cpu, KMeansData data, ClusterMetric metric, int clusters)
    {
        (_data, _metric, _clusters) = (data, metric, clusters);
        long bytes = Divide(cpu.Threads, data.Count, data.Dimension, clusters, out _packed, out _norms, out _centroids, out _offsets, out _changed, out _workers, out _workerBytes);
        _memory = (byte*)NativeMemory.AlignedAlloc((nuint)bytes, 64);
        var body = Body();
        var pack = new FewClustersPacking { Data = data, Packed = body.Packed, Norms = body.Norms, Width = Width };
        cpu.Workers.For(_data.Chunks, ref pack);
        double squares = RowLengths.Measure(cpu, data, body.Norms);
        TotalSquares = metric == ClusterMetric.Euclidean ? squares : 0;
    }

    /// <inheritdoc/>
    public double TotalSquares { get; }

    private static int Height => Vector512.IsHardwareAccelerated ? GemmKernel512.Height : GemmKernel256.Height;

    private static int Width => Vector512.IsHardwareAccelerated ? GemmKernel512.Width : GemmKernel256.Width;

    /// <summary>One for this problem, or null where the general search is as good. Depends on the shape only.</summary>
    public static FewClusters? Create(CpuDevice cpu, KMeansData data, ClusterMetric metric, int clusters) =>
        Suits(data.Count, data.Dimension, clusters) ? new FewClusters(cpu, data, metric, clusters) : null;

    /// <summary>Bytes of memory of one; 0 where there is none.</summary>
    public static long Bytes(int threads, int count, int dimension, int clusters) =>
        Suits(count, dimension, clusters) ? Divide(threads, count, dimension, clusters, out _, out _, out _, out _, out _, out _, out _) : 0;

    /// <inheritdoc/>
    public int Assign(CpuDevice cpu, float* centroids, int* labels, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        var body = Body();
        body.Labels = labels;
        body.Exact = centroids;
        double largest = 0;
        for (int k = 0; k < body.Panels * Height; k++)
        {
            var to = new Span<float>(body.Centroids + ((nint)k * RowPanel.Stride), _data.Dimension);
            if (k >= _clusters)
            {
                to.Clear();
                continue;
            }

            float* from = centroids + ((nint)k * _data.Dimension);
            new ReadOnlySpan<float>(from, _data.Dimension).CopyTo(to);
            double squares = RowMath.Dot(from, from, _data.Dimension);
            largest = Math.Max(largest, squares);
            body.Offsets[k] = _metric == ClusterMetric.Cosine ? 0 : (float)(squares / 2);
        }

        body.LargestNorm = Math.Sqrt(largest) * 1.000001;
        if (Vector512.IsHardwareAccelerated)
        {
            var wide = new FewClustersBody.With<GemmKernel512> { Search = body };
            cpu.Workers.For(_data.Chunks, ref wide);
        }
        else
        {
            var narrow = new FewClustersBody.With<GemmKernel256> { Search = body };
            cpu.Workers.For(_data.Chunks, ref narrow);
        }

        int changed = 0;
        for (int chunk = 0; chunk < _data.Chunks; chunk++)
        {
            changed += body.Changed[chunk];
        }

        return changed;
    }

    public void Dispose() => NativeMemory.AlignedFree(_memory);

    private static bool Suits(long count, int dimension, int clusters)
    {
        int few = (clusters + Height - 1) / Height * Height, many = (clusters + Width - 1) / Width * Width;
        return dimension <= Gemm.MaximumDepth && clusters <= MostClusters && count * dimension <= LargestCopy && few <= 0.9 * many;
    }

    private static long Divide(
        int threads, long count, int dimension, int clusters, out long packed, out long norms, out long centroids, out long offsets, out long changed, out long workers, out long workerBytes)
    {
        long strips = (count + Width - 1) / Width, padded = (clusters + Height - 1) / Height * Height;
        packed = 0;
        norms = packed + Align(strips * Width * dimension * sizeof(float));
        centroids = norms + Align(strips * Width * sizeof(float));
        offsets = centroids + Align(padded * RowPanel.Stride * sizeof(float));
        changed = offsets + Align(padded * sizeof(float));
        workers = changed + Align(((count / KMeansData.ChunkRows) + 1) * sizeof(int));
        workerBytes = Align(padded * Width * sizeof(float));
        return workers + (threads * workerBytes);
    }

    private static long Align(long bytes) => (bytes + 63) / 64 * 64;

    private FewClustersBody Body() => new()
    {
        Data = _data,
        Metric = _metric,
        Clusters = _clusters,
        Panels = (_clusters + Height - 1) / Height,
        Packed = (float*)(_memory + _packed),
        Norms = (float*)(_memory + _norms),
        Centroids = (float*)(_memory + _centroids),
        Offsets = (float*)(_memory + _offsets),
        Changed = (int*)(_memory + _changed),
        Workers = _memory + _workers,
        WorkerBytes = _workerBytes,
    };
}
