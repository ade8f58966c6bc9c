using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using System.Runtime.Intrinsics.X86;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

namespace Spk.Engine.Ops.Cluster;

/// <content>The CPU side: counting sort, sums of pieces in parallel, then the pieces of each cluster in order.</content>
public static unsafe partial class KMeansUpdate
{
    // Rows of a piece. A cluster of one piece is finished where it is summed.
    internal const int PieceRows = 512;

    /// <summary>Bytes of scratch memory of the CPU side.</summary>
    internal static long ScratchBytes(int threads, int count, int dimension, int clusters) => new Layout(threads, count, dimension, clusters).Bytes;

    private static void CpuForward(CpuDevice cpu, Tensor rows, Tensor? scales, Tensor labels, ClusterMetric metric, Tensor centroids, Tensor counts) =>
        CpuForward(cpu, rows, scales, labels, metric, centroids, counts, null);

    /// <summary>The CPU side, which also says what the sums tell about the objective.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="rows">[N, D].</param>
    /// <param name="scales">[N] or null.</param>
    /// <param name="labels">[N].</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="centroids">[K, D], in and out.</param>
    /// <param name="counts">[K], out.</param>
    /// <param name="gains">
    /// [K] or null, out: with the centroids as they came, Euclidean Σ scale · (‖x‖² − ‖x − c‖²), cosine Σ scale · (x · c) of the rows of each.
    /// </param>
    internal static void CpuForward(
        CpuDevice cpu, Tensor rows, Tensor? scales, Tensor labels, ClusterMetric metric, Tensor centroids, Tensor counts, double* gains)
    {
        if (gains != null)
        {
            NativeMemory.Clear(gains, (nuint)centroids.Shape[0] * sizeof(double));
        }

        var body = Body(cpu, rows, scales, centroids.Shape[0]);
        body.Metric = metric;
        body.Gains = gains;
        body.Centroids = centroids.Data;
        body.CentroidStride = centroids.RowStride;
        Run(cpu, body, labels.IntData, rows.Shape[0], centroids.Shape[0], counts.IntData);
    }

    /// <summary>Leaves the sums as they are, for processes that have only some of the rows each.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="rows">[N, D].</param>
    /// <param name="scales">[N] or null.</param>
    /// <param name="labels">[N].</param>
    /// <param name="clusters">K.</param>
    /// <param name="sums">[K, D + 1], out: scale · x of the rows of each, then the scales.</param>
    /// <param name="counts">[K], out.</param>
    internal static void Sum(CpuDevice cpu, Tensor rows, Tensor? scales, int* labels, int clusters, double* sums, int* counts)
    {
        NativeMemory.Clear(sums, (nuint)clusters * (nuint)(rows.Shape[1] + 1) * sizeof(double));
        var body = Body(cpu, rows, scales, clusters);
        body.Sums = sums;
        Run(cpu, body, labels, rows.Shape[0], clusters, counts);
    }

    /// <summary>The centroid of a sum; left as it is where the sum has none.</summary>
    /// <param name="sum">[D + 1].</param>
    /// <param name="dimension">D.</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="centroid">[D].</param>
    internal static void WriteCentroid(double* sum, int dimension, ClusterMetric metric, float* centroid)
    {
        double divisor = sum[dimension];
        if (metric == ClusterMetric.Cosine)
        {
            divisor = 0;
            for (int d = 0; d < dimension; d++)
            {
                divisor += sum[d] * sum[d];
            }

            divisor = Math.Sqrt(divisor);
        }

        for (int d = 0; d < dimension && divisor > 0; d++)
        {
            centroid[d] = (float)(sum[d] / divisor);
        }
    }

    private static SumBody Body(CpuDevice cpu, Tensor rows, Tensor? scales, int clusters)
    {
        var layout = new Layout(cpu.Threads, rows.Shape[0], rows.Shape[1], clusters);
        byte* memory = (byte*)cpu.SharedScratch(layout.Bytes / sizeof(float));
        return new SumBody
        {
            Rows = rows.Data,
            RowStride = rows.RowStride,
            Scales = scales is null ? null : scales.Data,
            Dimension = rows.Shape[1],
            Starts = (int*)memory,
            Order = (int*)(memory + layout.OrderAt),
            Pieces = (Piece*)(memory + layout.PiecesAt),
            Partial = (double*)(memory + layout.PartialAt),
            Workers = (double*)(memory + layout.WorkersAt),
            SumLength = layout.SumLength,
        };
    }

    private static void Run(CpuDevice cpu, SumBody body, int* labels, int count, int clusters, int* counts)
    {
        Sort(labels, count, clusters, body.Starts, body.Order, counts);
        int pieces = Split(body.Starts, clusters, body.Pieces);
        cpu.Workers.For(pieces, ref body);
        var finish = new FinishBody { Sum = body };
        cpu.Workers.For(clusters, ref finish);
    }

    // Starts gets K + 1 elements; rows keep their order within a cluster.
    private static void Sort(int* labels, int count, int clusters, int* starts, int* order, int* counts)
    {
        NativeMemory.Clear(counts, (nuint)clusters * sizeof(int));
        for (int i = 0; i < count; i++)
        {
            counts[labels[i]]++;
        }

        int start = 0;
        for (int k = 0; k < clusters; k++)
        {
            starts[k] = start;
            start += counts[k];
        }

        starts[clusters] = count;
        for (int i = 0; i < count; i++)
        {
            order[starts[labels[i]]++] = i;
        }

        for (int k = clusters; k > 0; k--)
        {
            starts[k] = starts[k - 1];
        }

        starts[0] = 0;
        starts[clusters] = count;
    }

    private static int Split(int* starts, int clusters, Piece* pieces)
    {
        int made = 0, partial = 0;
        for (int k = 0; k < clusters; k++)
        {
            int members = starts[k + 1] - starts[k];
            for (int done = 0; done < members; done += PieceRows)
            {
                pieces[made++] = new Piece
                {
                    Cluster = k,
                    Start = starts[k] + done,
                    Rows = Math.Min(PieceRows, members - done),
                    Partial = members <= PieceRows ? -1 : partial++,
                };
            }
        }

        return made;
    }

    private struct Piece
    {
        public int Cluster, Start, Rows;

        /// <summary>Where the sum goes, or −1 where the piece is the whole cluster.</summary>
        public int Partial;
    }

    private readonly struct Layout
    {
        public Layout(int threads, int count, int dimension, int clusters)
        {
            // A sum is D elements and the sum of the factors.
            SumLength = (dimension + 1 + 7) / 8 * 8;
            long sumBytes = (long)SumLength * sizeof(double);
            OrderAt = Align((clusters + 1L) * sizeof(int));
            PiecesAt = OrderAt + Align((long)count * sizeof(int));
            PartialAt = PiecesAt + Align(((long)clusters + (count / PieceRows)) * sizeof(Piece));
            WorkersAt = PartialAt + (2L * (count / PieceRows) * sumBytes);
            Bytes = WorkersAt + (threads * sumBytes);
        }

        public int SumLength { get; }

        public long OrderAt { get; }

        public long PiecesAt { get; }

        public long PartialAt { get; }

        public long WorkersAt { get; }

        public long Bytes { get; }

        private static long Align(long bytes) => (bytes + 63) / 64 * 64;
    }

    private struct SumBody : IParallelBody
    {
        public float* Rows;
        public nint RowStride;
        public float* Scales;
        public float* Centroids;
        public nint CentroidStride;
        public int Dimension, SumLength;
        public ClusterMetric Metric;
        public int* Starts;
        public int* Order;
        public Piece* Pieces;
        public double* Partial, Workers, Gains;

        /// <summary>Where sums go in place of centroids; null for centroids.</summary>
        public double* Sums;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            var piece = Pieces[index];
            double* sum = piece.Partial < 0 ? Workers + ((nint)worker * SumLength) : Partial + ((nint)piece.Partial * SumLength);
            NativeMemory.Clear(sum, (nuint)SumLength * sizeof(double));
            int* order = Order + piece.Start;
            int i = 0;
            for (; i <= piece.Rows - 4; i += 4)
            {
                if (Sse.IsSupported && i <= piece.Rows - 8)
                {
                    Fetch4(order + i + 4);
                }

                Add4(sum, order + i);
            }

            for (; i < piece.Rows; i++)
            {
                Add(sum, Row(order[i]), Factor(order[i]), Dimension);
                sum[Dimension] += Factor(order[i]);
            }

            if (piece.Partial < 0)
            {
                Finish(piece.Cluster, sum);
            }
        }

        /// <summary>Turns a cluster's sum into its centroid, or puts it where sums go.</summary>
        public readonly void Finish(int cluster, double* sum)
        {
            if (Sums != null)
            {
                new ReadOnlySpan<double>(sum, Dimension + 1).CopyTo(new Span<double>(Sums + ((nint)cluster * (Dimension + 1)), Dimension + 1));
                return;
            }

            float* centroid = Centroids + (cluster * CentroidStride);
            if (Gains != null)
            {
                Gains[cluster] = Gain(centroid, sum);
            }

            WriteCentroid(sum, Dimension, Metric, centroid);
        }

        private readonly double Gain(float* centroid, double* sum)
        {
            double product = 0, squares = 0;
            for (int d = 0; d < Dimension; d++)
            {
                product += sum[d] * centroid[d];
                squares += (double)centroid[d] * centroid[d];
            }

            return Metric == ClusterMetric.Cosine ? product : (2 * product) - (sum[Dimension] * squares);
        }

        private readonly float* Row(int row) => Rows + (row * RowStride);

        private readonly double Factor(int row) => Scales == null ? 1 : Scales[row];

        // Rows of a cluster lie anywhere: the processor cannot foresee the next ones.
        private readonly void Fetch4(int* order)
        {
            for (int r = 0; r < 4; r++)
            {
                float* row = Row(order[r]);
                for (int d = 0; d < Dimension; d += 16)
                {
                    Sse.Prefetch0(row + d);
                }
            }
        }

        private readonly void Add4(double* sum, int* order)
        {
            double fa = Factor(order[0]), fb = Factor(order[1]), fc = Factor(order[2]), fd = Factor(order[3]);
            if (Scales == null)
            {
                AddPlain4(sum, Row(order[0]), Row(order[1]), Row(order[2]), Row(order[3]), Dimension);
            }
            else
            {
                Add(sum, Row(order[0]), fa, Dimension);
                Add(sum, Row(order[1]), fb, Dimension);
                Add(sum, Row(order[2]), fc, Dimension);
                Add(sum, Row(order[3]), fd, Dimension);
            }

            sum[Dimension] += fa + fb + (fc + fd);
        }

        [MethodImpl(HotLoop.Options)]
        private static void AddPlain4(double* sum, float* a, float* b, float* c, float* d, int length)
        {
            int i = 0;
            for (; i <= length - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                var (aLow, aHigh) = Vector512.Widen(Vector512.Load(a + i));
                var (bLow, bHigh) = Vector512.Widen(Vector512.Load(b + i));
                var (cLow, cHigh) = Vector512.Widen(Vector512.Load(c + i));
                var (dLow, dHigh) = Vector512.Widen(Vector512.Load(d + i));
                (Vector512.Load(sum + i) + (aLow + bLow + (cLow + dLow))).Store(sum + i);
                (Vector512.Load(sum + i + 8) + (aHigh + bHigh + (cHigh + dHigh))).Store(sum + i + 8);
            }

            for (; i < length; i++)
            {
                sum[i] += (double)a[i] + b[i] + ((double)c[i] + d[i]);
            }
        }

        [MethodImpl(HotLoop.Options)]
        private static void Add(double* sum, float* a, double factor, int length)
        {
            int i = 0;
            var factors = Vector512.Create(factor);
            for (; i <= length - Vector512<float>.Count; i += Vector512<float>.Count)
            {
                var (low, high) = Vector512.Widen(Vector512.Load(a + i));
                Vector512.FusedMultiplyAdd(low, factors, Vector512.Load(sum + i)).Store(sum + i);
                Vector512.FusedMultiplyAdd(high, factors, Vector512.Load(sum + i + 8)).Store(sum + i + 8);
            }

            for (; i < length; i++)
            {
                sum[i] += factor * a[i];
            }
        }
    }

    private struct FinishBody : IParallelBody
    {
        public SumBody Sum;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int members = Sum.Starts[index + 1] - Sum.Starts[index];
            if (members <= PieceRows)
            {
                return;
            }

            // Pieces are listed by cluster: earlier clusters made at least as many as their index in non-empty ones, so search.
            int piece = FirstPiece(index);
            double* total = Sum.Partial + ((nint)Sum.Pieces[piece].Partial * Sum.SumLength);
            int pieces = (members + PieceRows - 1) / PieceRows;
            for (int p = 1; p < pieces; p++)
            {
                double* other = total + ((nint)p * Sum.SumLength);
                for (int d = 0; d <= Sum.Dimension; d++)
                {
                    total[d] += other[d];
                }
            }

            Sum.Finish(index, total);
        }

        private readonly int FirstPiece(int cluster)
        {
            int piece = 0;
            for (int k = 0; k < cluster; k++)
            {
                piece += (Sum.Starts[k + 1] - Sum.Starts[k] + PieceRows - 1) / PieceRows;
            }

            return piece;
        }
    }
}
