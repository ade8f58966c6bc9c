using System.Runtime.InteropServices;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Cluster;

/// <summary>
/// k-means‖: five rounds draw about 2K rows each, with probability proportional to weight times distance from what is drawn already;
/// k-means++ then chooses among them, each weighted by the rows nearest to it.
/// </summary>
internal static unsafe class ParallelSeeding
{
    private const int Rounds = 5;
    private const int Oversampling = 2;

    // Below this 1 − cosine two rows have the same direction as far as f32 can tell.
    private const double SameDirection = 1e-6;

    /// <summary>Bytes of scratch memory of <see cref="Run"/>, for an expected number of draws and a quarter more.</summary>
    public static long ScratchBytes(int threads, int count, int dimension, int clusters, int candidates)
    {
        long drawn = Math.Min(count, (long)(Oversampling * clusters * 1.25) * Rounds);
        long rows = count * (long)((4 * sizeof(float)) + (2 * sizeof(int)));
        int atOnce = Math.Min(count, clusters);
        long search = NearestCentroid.ScratchBytes(threads, count, dimension, atOnce);
        return rows + ((long)atOnce * dimension * sizeof(float)) + (drawn * (sizeof(int) + sizeof(double)))
            + Math.Max(search, PlusPlusSeeding.ScratchBytes(drawn, candidates));
    }

    public static int[] Run(CpuDevice cpu, SeedingSource source, int clusters, int candidates, ulong seed, int start, CancellationToken cancellation)
    {
        int[] first = KMeansInit.RandomRows(source, 1, seed, start);
        var state = new State(source);
        KMeansInit.RequireRows(state.Weights.Count(w => w > 0), clusters);
        var drawn = new List<int>(first);
        var batch = drawn;
        for (int round = 0; ; round++)
        {
            // At most K at once: then this needs no more memory than the iterations that follow.
            for (int done = 0; done < batch.Count; done += clusters)
            {
                int here = Math.Min(clusters, batch.Count - done);
                state.Compare(cpu, CollectionsMarshal.AsSpan(batch).Slice(done, here), drawn.Count - batch.Count + done, cancellation);
            }

            if (round == Rounds)
            {
                break;
            }

            batch = state.Draw((double)Oversampling * clusters, seed, start, round);
            if (batch.Count == 0)
            {
                break;
            }

            drawn.AddRange(batch);
        }

        double[] weights = new double[drawn.Count];
        for (int i = 0; i < source.Count; i++)
        {
            weights[state.NearestDrawn[i]] += state.Weights[i];
        }

        // Copies of a drawn row have no rows of their own.
        var distinct = drawn.Where((_, i) => weights[i] > 0).ToList();
        if (distinct.Count <= clusters)
        {
            return Complete(source, distinct, clusters, seed, start);
        }

        return PlusPlusSeeding.Run(cpu, source, ([.. drawn], weights), clusters, candidates, seed, start, cancellation);
    }

    // Too few distinct rows: random others fill up.
    private static int[] Complete(in SeedingSource source, List<int> drawn, int clusters, ulong seed, int start)
    {
        var taken = new HashSet<int>(drawn);
        var free = new List<int>();
        for (int i = 0; i < source.Count; i++)
        {
            if ((source.Scales == null || source.Scales[i] > 0) && !taken.Contains(i))
            {
                free.Add(i);
            }
        }

        int[] order = [.. free];
        new CounterRandom(seed, RandomPurpose.Clustering, KMeansStreams.Candidates + Rounds, start).Shuffle(order);
        return [.. drawn, .. order.AsSpan(0, clusters - drawn.Count)];
    }

    private sealed class State
    {
        private readonly SeedingSource _source;
        private readonly float[] _nearest, _inverse, _distances;
        private readonly int[] _labels;

        public State(SeedingSource source)
        {
            _source = source;
            _nearest = new float[source.Count];
            _distances = new float[source.Count];
            _labels = new int[source.Count];
            NearestDrawn = new int[source.Count];
            Weights = new float[source.Count];
            _inverse = source.Metric == ClusterMetric.Cosine ? new float[source.Count] : [];
            Array.Fill(_nearest, float.PositiveInfinity);
            for (int i = 0; i < source.Count; i++)
            {
                Weights[i] = (float)source.Weight(i);
                if (source.Metric == ClusterMetric.Cosine)
                {
                    double length = Math.Sqrt(RowMath.Dot(source.Row(i), source.Row(i), source.Dimension));
                    _inverse[i] = length > 0 ? (float)(1 / length) : 0f;
                }
            }
        }

        public float[] Weights { get; }

        /// <summary>Position, among all drawn, of the nearest drawn row.</summary>
        public int[] NearestDrawn { get; }

        /// <summary>Brings distances up to date with the rows just drawn, of which the first is number <paramref name="offset"/>.</summary>
        public void Compare(CpuDevice cpu, ReadOnlySpan<int> batch, int offset, CancellationToken cancellation)
        {
            float[] centroids = new float[(long)batch.Length * _source.Dimension];
            fixed (float* to = centroids, distances = _distances)
            fixed (int* labels = _labels)
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
                    Labels = labels,
                    Distances = distances,
                };
                NearestCentroid.Run(cpu, request, cancellation);
            }

            for (int i = 0; i < _nearest.Length; i++)
            {
                double distance = _source.Metric == ClusterMetric.Euclidean ? _distances[i] : 1.0 - ((double)_distances[i] * _inverse[i]);
                distance = _source.Metric == ClusterMetric.Cosine && distance < SameDirection ? 0 : distance;
                if (distance < _nearest[i])
                {
                    _nearest[i] = (float)distance;
                    NearestDrawn[i] = offset + _labels[i];
                }
            }
        }

        /// <summary>Every row on its own: drawn with probability expected · share of the sum, at most 1.</summary>
        public List<int> Draw(double expected, ulong seed, int start, int round)
        {
            double sum = 0;
            for (int i = 0; i < _nearest.Length; i++)
            {
                sum += (double)Weights[i] * _nearest[i];
            }

            var drawn = new List<int>();
            (uint R0, uint R1, uint R2, uint R3) words = default;
            for (int i = 0; i < _nearest.Length && sum > 0; i++)
            {
                if (i % 4 == 0)
                {
                    words = Philox.Block(seed, (uint)(i / 4), (uint)start, (uint)(KMeansStreams.Candidates + round), (uint)RandomPurpose.Clustering);
                }

                uint word = (i % 4) switch { 0 => words.R0, 1 => words.R1, 2 => words.R2, _ => words.R3 };
                if (word / 4294967296.0 * sum < expected * Weights[i] * _nearest[i])
                {
                    drawn.Add(i);
                }
            }

            return drawn;
        }
    }
}
