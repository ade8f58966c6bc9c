using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>Labels a chunk of rows, some strips of packed rows at a time.</summary>
internal unsafe struct FewClustersBody
{
    private const int Lanes = 16;

    public KMeansData Data;
    public ClusterMetric Metric;
    public int Clusters, Panels;

    /// <summary>Rows in strips: [strip][column][row of the strip], and their lengths.</summary>
    public float* Packed, Norms;

    /// <summary>Centroids in panels, ‖c‖²/2 of each, and the same centroids as they are.</summary>
    public float* Centroids, Offsets, Exact;
    public double LargestNorm;
    public int* Labels;
    public int* Changed;
    public byte* Workers;
    public long WorkerBytes;

    private readonly void Run<TKernel>(int index, int worker)
        where TKernel : struct, IGemmKernel
    {
        float* tile = (float*)(Workers + (worker * WorkerBytes));
        int first = index * KMeansData.ChunkRows, end = Math.Min(Data.Count, first + KMeansData.ChunkRows), changed = 0;

        // The panels of a strip share the fetching of the next one.
        nint nextStep = (TKernel.Width + Panels - 1) / Panels;
        for (int row = first; row < end; row += TKernel.Width)
        {
            float* strip = Packed + ((nint)row * Data.Dimension);
            float* next = strip + ((nint)TKernel.Width * Data.Dimension);
            for (int panel = 0; panel < Panels; panel++)
            {
                TKernel.Run<RowPanel>(
                    Centroids + ((nint)panel * TKernel.Height * RowPanel.Stride), strip, Data.Dimension, tile + ((nint)panel * TKernel.Height * TKernel.Width),
                    TKernel.Width, accumulate: false, next, nextStep);
                next += Data.Dimension * nextStep;
            }

            for (int lane = 0; lane < TKernel.Width && row + lane < end; lane += Lanes)
            {
                changed += Decide(tile + lane, TKernel.Width, row + lane, Math.Min(Lanes, end - row - lane));
            }
        }

        Changed[index] = changed;
    }

    // Sixteen rows, one a lane. The rules are those of NearestCentroidBody.
    [MethodImpl(HotLoop.Options)]
    private readonly int Decide(float* scores, int stride, int row, int rows)
    {
        var best = Vector512.Create(float.NegativeInfinity);
        var second = best;
        var index = Vector512<int>.Zero;
        for (int k = 0; k < Clusters; k++)
        {
            var score = Vector512.Load(scores + (k * stride)) - Vector512.Create(Offsets[k]);
            index = Vector512.ConditionalSelect(Vector512.GreaterThan(score, best).AsInt32(), Vector512.Create(k), index);
            second = Vector512.MaxNative(second, Vector512.MinNative(score, best));
            best = Vector512.MaxNative(score, best);
        }

        var bounds = new ScoreBounds(Data.Dimension, LargestNorm, Metric);
        var norms = Vector512.Load(Norms + row);
        var limit = best - (2 * bounds.Error(norms));
        ulong certain = (Vector512.LessThan(second, limit) & bounds.InRange(norms)).ExtractMostSignificantBits();
        ulong present = (1ul << rows) - 1;
        if (rows == Lanes && certain == present)
        {
            var before = Vector512.Load(Labels + row);
            index.Store(Labels + row);
            return Lanes - BitOperations.PopCount(Vector512.Equals(before, index).ExtractMostSignificantBits());
        }

        int changed = 0;
        for (int r = 0; r < rows; r++)
        {
            int label = ((certain >> r) & 1) != 0 ? index[r] : Search(Data.Row(row + r));
            changed += Labels[row + r] == label ? 0 : 1;
            Labels[row + r] = label;
        }

        return changed;
    }

    private readonly int Search(float* x)
    {
        int label = 0;
        double nearest = double.PositiveInfinity;
        for (int k = 0; k < Clusters; k++)
        {
            float* c = Exact + ((nint)k * Data.Dimension);
            double distance = Metric == ClusterMetric.Cosine ? -RowMath.Dot(x, c, Data.Dimension) : RowMath.SquaredDistance(x, c, Data.Dimension);
            if (distance < nearest)
            {
                (nearest, label) = (distance, k);
            }
        }

        return label;
    }

    /// <summary>The loop with one of the micro-kernels.</summary>
    public struct With<TKernel> : IParallelBody
        where TKernel : struct, IGemmKernel
    {
        public FewClustersBody Search;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker) => Search.Run<TKernel>(index, worker);
    }
}

/// <summary>Packs a chunk of rows into strips; lengths of rows that fill up the last one are 0.</summary>
internal unsafe struct FewClustersPacking : IParallelBody
{
    public KMeansData Data;
    public float* Packed, Norms;
    public int Width;

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        int first = index * KMeansData.ChunkRows, rows = Math.Min(KMeansData.ChunkRows, Data.Count - first);
        var view = MatrixView.Of(Data.Rows, Data.Count, Data.Dimension, Data.Dimension);
        GemmPack.TransposedStrips(view, first, rows, 0, Data.Dimension, Width, Data.Dimension, Packed + ((nint)first * Data.Dimension));
        new Span<float>(Norms + first + rows, ((rows + Width - 1) / Width * Width) - rows).Clear();
    }
}
