using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>
/// Assignment that compares only rows whose label may change. Of every row it keeps a lower bound of the distance to all centroids
/// but its own; centroids move between iterations, and the bound falls by the longest move. The own distance is measured anew every
/// time (it is needed for the objective), so that a row is compared only where its bound has fallen below that.
/// </summary>
internal sealed unsafe class KMeansBounds(KMeansData data, KMeansOptions options)
{
    private readonly float[] _lower = new float[data.Count];
    private readonly int[] _list = new int[data.Count];
    private readonly int[] _listed = new int[data.Chunks];
    private readonly double[] _sums = new double[data.Chunks];
    private readonly float[] _previous = new float[(long)options.Clusters * data.Dimension];
    private bool _started;

    /// <summary>Bytes of memory of one.</summary>
    public static long Bytes(int count, int dimension, int clusters) =>
        (count * 8L) + (KMeansData.ChunksOf(count) * 12L) + ((long)clusters * dimension * sizeof(float));

    /// <summary>As <see cref="KMeansAssign.Forward"/>, with the same labels.</summary>
    public KMeansAssignment Assign(CpuDevice cpu, float* centroids, int* labels, float* distances, CancellationToken cancellation)
    {
        fixed (float* lower = _lower, previous = _previous)
        fixed (int* list = _list, listed = _listed)
        fixed (double* sums = _sums)
        {
            int count = data.Count;
            double kept = 0;
            if (_started)
            {
                var body = new KMeansBoundsBody
                {
                    Data = data,
                    Metric = options.Metric,
                    Centroids = centroids,
                    Labels = labels,
                    Distances = distances,
                    Lower = lower,
                    List = list,
                    Listed = listed,
                    Sums = sums,
                };
                Movement(previous, centroids, ref body);
                cpu.Workers.For(_sums.Length, ref body);
                count = Compact(list, listed);
                kept = _sums.Sum();
            }

            var assigned = NearestCentroid.Run(cpu, Request(centroids, labels, distances, lower, _started ? list : null, count), cancellation);
            for (int i = 0; i < count; i++)
            {
                int row = _started ? list[i] : i;
                lower[row] = KMeansBoundsBody.LowerBound(data, options.Metric, row, lower[row]);
            }

            new Span<float>(centroids, _previous.Length).CopyTo(_previous);
            _started = true;
            return assigned with { Objective = assigned.Objective + kept };
        }
    }

    private NearestCentroidRequest Request(float* centroids, int* labels, float* distances, float* lower, int* list, int count) => new()
    {
        Rows = data.Rows,
        RowStride = data.Dimension,
        RowList = list,
        Count = count,
        Dimension = data.Dimension,
        Scales = data.Scales,
        Centroids = centroids,
        CentroidStride = data.Dimension,
        Clusters = options.Clusters,
        Metric = options.Metric,
        Labels = labels,
        Distances = distances,

        // The bound of a score first, turned into one of a distance afterwards.
        RunnerUp = lower,
    };

    private void Movement(float* previous, float* centroids, ref KMeansBoundsBody body)
    {
        body.Fastest = -1;
        for (int k = 0; k < options.Clusters; k++)
        {
            nint at = (nint)k * data.Dimension;
            double move = Math.Sqrt(RowMath.SquaredDistance(previous + at, centroids + at, data.Dimension));
            if (move > body.LongestMove)
            {
                (body.SecondMove, body.LongestMove, body.Fastest) = (body.LongestMove, move, k);
            }
            else if (move > body.SecondMove)
            {
                body.SecondMove = move;
            }
        }
    }

    // Every chunk listed its rows at its own place: closes the gaps. Rows stay in order.
    private int Compact(int* list, int* listed)
    {
        int count = 0;
        for (int chunk = 0; chunk < _listed.Length; chunk++)
        {
            new Span<int>(list + (chunk * KMeansData.ChunkRows), listed[chunk]).CopyTo(new Span<int>(list + count, listed[chunk]));
            count += listed[chunk];
        }

        return count;
    }
}
