using System.Runtime.Intrinsics;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Cluster;

/// <summary>Which rows to compare with which centroids, and where the answers go. Pointers are to host memory.</summary>
internal unsafe struct NearestCentroidRequest
{
    /// <summary>Rows, f32, <see cref="RowStride"/> elements apart.</summary>
    public float* Rows;
    public nint RowStride;

    /// <summary>Which rows, ascending, or null for the first <see cref="Count"/>. Everything indexed by row uses the row's own number.</summary>
    public int* RowList;
    public int Count, Dimension;

    /// <summary>Lengths of the rows, no less exact than <see cref="RowMath.ApproximateNorm"/>, or null: measured anew.</summary>
    public float* Norms;

    /// <summary>Factors of the rows in the objective, or null for 1.</summary>
    public float* Scales;

    /// <summary>Centroids, f32, <see cref="CentroidStride"/> elements apart.</summary>
    public float* Centroids;
    public nint CentroidStride;

    public int Clusters;
    public ClusterMetric Metric;

    /// <summary>In and out: label of every row.</summary>
    public int* Labels;

    /// <summary>Out, or null: squared distance to (Euclidean) or dot product with (cosine) the own centroid. Without it there is no objective either.</summary>
    public float* Distances;

    /// <summary>
    /// Out, or null: a value that x·c − ‖c‖²/2 (cosine: x·c) of no centroid but the own one exceeds. Includes the rounding of the product.
    /// </summary>
    public float* RunnerUp;

    public readonly float* Centroid(int index) => Centroids + (index * CentroidStride);
}

/// <summary>
/// The search for the nearest centroid: centroids are packed once into strips as the matrix product wants them; a task packs a
/// block of rows, multiplies it with some strips at a time into a tile that stays in the second-level cache, and keeps the best
/// two scores a lane of every row. Score: x·c − ‖c‖²/2 (largest where ‖x − c‖² is smallest), or x·c under cosine.
/// </summary>
internal static unsafe class NearestCentroid
{
    // Rows of a task: packed they fill at most this many floats (432 KiB), and never more than MaximumRows.
    private const int TaskFloats = 108 << 10;
    private const int MaximumRows = 144;
    private const int MinimumRows = 24;

    // Columns of the tile, and the distance of its rows: not a power of two, so that they spread over the cache's sets.
    public const int TileColumns = 256;
    public const int TileStride = TileColumns + 16;

    // A loop over this many multiply-adds takes about a tenth of a second on two cores: how often cancellation is looked at.
    private const long WorkBetweenChecks = 10_000_000_000;

    /// <summary>Bytes of scratch memory that <see cref="Run"/> uses.</summary>
    public static long ScratchBytes(int threads, int count, int dimension, int clusters) =>
        Vector512.IsHardwareAccelerated
            ? new Layout<GemmKernel512>(threads, count, dimension, clusters).Bytes
            : new Layout<GemmKernel256>(threads, count, dimension, clusters).Bytes;

    /// <summary>Labels the rows.</summary>
    public static KMeansAssignment Run(CpuDevice cpu, in NearestCentroidRequest request, CancellationToken cancellation = default) =>
        Vector512.IsHardwareAccelerated
            ? Run<GemmKernel512>(cpu, request, cancellation)
            : Run<GemmKernel256>(cpu, request, cancellation);

    /// <summary>As <see cref="Run(CpuDevice, in NearestCentroidRequest, CancellationToken)"/> with a chosen micro-kernel; tests compare them.</summary>
    internal static KMeansAssignment Run<TKernel>(CpuDevice cpu, in NearestCentroidRequest request, CancellationToken cancellation)
        where TKernel : struct, IGemmKernel
    {
        if (request.Count == 0)
        {
            return default;
        }

        var layout = new Layout<TKernel>(cpu.Threads, request.Count, request.Dimension, request.Clusters);
        byte* memory = (byte*)cpu.SharedScratch(layout.Bytes / sizeof(float));
        var body = new NearestCentroidBody<TKernel>
        {
            Request = request,
            Layout = layout,
            Packed = (float*)memory,
            Offsets = (float*)(memory + layout.OffsetsAt),
            Sums = (double*)(memory + layout.SumsAt),
            Changed = (int*)(memory + layout.ChangedAt),
            Workers = memory + layout.WorkersAt,
        };
        var pack = new PackCentroidsBody<TKernel> { Request = request, Layout = layout, Packed = body.Packed, Offsets = body.Offsets };
        cpu.Workers.For(layout.Strips, ref pack);
        body.LargestNorm = LargestNorm(body.Offsets, request);

        int atOnce = (int)Math.Clamp(WorkBetweenChecks / ((long)layout.Rows * request.Dimension * request.Clusters), Math.Min(cpu.Threads, layout.Tasks), layout.Tasks);
        for (int first = 0; first < layout.Tasks; first += atOnce)
        {
            cancellation.ThrowIfCancellationRequested();
            body.FirstTask = first;
            cpu.Workers.For(Math.Min(atOnce, layout.Tasks - first), ref body);
        }

        double sum = 0;
        int changed = 0;
        for (int task = 0; task < layout.Tasks; task++)
        {
            sum += body.Sums[task];
            changed += body.Changed[task];
        }

        return new KMeansAssignment(sum, changed);
    }

    private static double LargestNorm(float* offsets, in NearestCentroidRequest request)
    {
        // Packing left ‖c‖²/2 there.
        float largest = 0;
        for (int k = 0; k < request.Clusters; k++)
        {
            largest = Math.Max(largest, offsets[k]);
            offsets[k] = request.Metric == ClusterMetric.Cosine ? 0f : offsets[k];
        }

        return Math.Sqrt(2.0 * largest) * 1.000001;
    }

    /// <summary>How the scratch memory is divided. Only <see cref="WorkersAt"/> and the total depend on the number of threads.</summary>
    internal readonly struct Layout<TKernel>
        where TKernel : struct, IGemmKernel
    {
        public Layout(int threads, int count, int dimension, int clusters)
        {
            Blocks = (dimension + Gemm.MaximumDepth - 1) / Gemm.MaximumDepth;
            BlockDepth = (dimension + Blocks - 1) / Blocks;
            Strips = (clusters + TKernel.Width - 1) / TKernel.Width;
            int rows = Math.Clamp(TaskFloats / (Blocks * RowPanel.Stride), MinimumRows, MaximumRows);
            rows = Math.Min(rows, count);
            Rows = (rows + TKernel.Height - 1) / TKernel.Height * TKernel.Height;
            Tasks = (int)(((long)count + Rows - 1) / Rows);
            OffsetsAt = Align((long)Strips * TKernel.Width * dimension * sizeof(float));
            SumsAt = OffsetsAt + Align((long)Strips * TKernel.Width * sizeof(float));
            ChangedAt = SumsAt + Align((long)Tasks * sizeof(double));
            WorkersAt = ChangedAt + Align((long)Tasks * sizeof(int));
            TileAt = (long)Rows * Blocks * RowPanel.Stride * sizeof(float);
            BestAt = TileAt + ((long)Rows * TileStride * sizeof(float));
            WorkerBytes = Align(BestAt + ((long)Rows * NearestCentroidBody<TKernel>.StateFloats * sizeof(float)));
            Bytes = WorkersAt + (threads * WorkerBytes);
        }

        public int Blocks { get; }

        public int BlockDepth { get; }

        public int Strips { get; }

        public int Rows { get; }

        public int Tasks { get; }

        public long OffsetsAt { get; }

        public long SumsAt { get; }

        public long ChangedAt { get; }

        public long WorkersAt { get; }

        public long TileAt { get; }

        public long BestAt { get; }

        public long WorkerBytes { get; }

        public long Bytes { get; }

        private static long Align(long bytes) => (bytes + 63) / 64 * 64;
    }
}
