using System.Runtime.InteropServices;
using Spk.Engine.Clustering;
using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Cluster;

/// <summary>
/// k-means‖: five rounds draw about 2K rows each, with probability proportional to weight times distance from what is drawn already;
/// k-means++ then chooses among them, each weighted by the rows nearest to it.
/// </summary>
internal sealed class ParallelSeeding(ISeedingRows rows)
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

    // Squared distance, or 1 − cosine, to the nearest row drawn so far, and which of all drawn that is.
    private readonly float[] _nearest = new float[rows.Count];
    private readonly int[] _nearestDrawn = new int[rows.Count];
    private readonly float[] _distances = new float[rows.Count];
    private readonly int[] _labels = new int[rows.Count];

    /// <summary>Chooses distinct rows.</summary>
    /// <param name="scales">Scales of the rows, or nothing for 1.</param>
    /// <param name="clusters">How many.</param>
    /// <param name="candidates">Draws a step of the final k-means++.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="start">Which start.</param>
    /// <param name="cancellation">Looked at every round.</param>
    /// <returns>Row numbers.</returns>
    public int[] Run(ReadOnlySpan<float> scales, int clusters, int candidates, ulong seed, int start, CancellationToken cancellation)
    {
        int[] first = KMeansInit.RandomRows(rows.Count, scales, 1, seed, start);
        KMeansInit.RequireRows(rows.Weights.Count(w => w > 0), clusters);
        Array.Fill(_nearest, float.PositiveInfinity);
        var drawn = new List<int>(first);
        var batch = drawn;
        for (int round = 0; ; round++)
        {
            // At most K at once: then this needs no more memory than the iterations that follow.
            for (int done = 0; done < batch.Count; done += clusters)
            {
                int here = Math.Min(clusters, batch.Count - done);
                Compare(CollectionsMarshal.AsSpan(batch).Slice(done, here), drawn.Count - batch.Count + done, cancellation);
            }

            if (round == Rounds)
            {
                break;
            }

            batch = Draw((double)Oversampling * clusters, seed, start, round);
            if (batch.Count == 0)
            {
                break;
            }

            drawn.AddRange(batch);
        }

        double[] weights = new double[drawn.Count];
        for (int i = 0; i < rows.Count; i++)
        {
            weights[_nearestDrawn[i]] += rows.Weights[i];
        }

        // Copies of a drawn row have no rows of their own.
        var distinct = drawn.Where((_, i) => weights[i] > 0).ToList();
        if (distinct.Count <= clusters)
        {
            return Complete(scales, distinct, clusters, seed, start);
        }

        return rows.PlusPlus([.. drawn], weights, clusters, candidates, seed, start, cancellation);
    }

    // Too few distinct rows: random others fill up.
    private int[] Complete(ReadOnlySpan<float> scales, List<int> drawn, int clusters, ulong seed, int start)
    {
        var taken = new HashSet<int>(drawn);
        var free = new List<int>();
        for (int i = 0; i < rows.Count; i++)
        {
            if ((scales.IsEmpty || scales[i] > 0) && !taken.Contains(i))
            {
                free.Add(i);
            }
        }

        int[] order = [.. free];
        new CounterRandom(seed, RandomPurpose.Clustering, KMeansStreams.Candidates + Rounds, start).Shuffle(order);
        return [.. drawn, .. order.AsSpan(0, clusters - drawn.Count)];
    }

    // Brings distances up to date with the rows just drawn, of which the first is number "offset".
    private void Compare(ReadOnlySpan<int> batch, int offset, CancellationToken cancellation)
    {
        rows.Search(batch, _labels, _distances, cancellation);
        bool cosine = rows.Metric == ClusterMetric.Cosine;
        for (int i = 0; i < _nearest.Length; i++)
        {
            double distance = cosine ? 1.0 - ((double)_distances[i] * rows.Inverse[i]) : _distances[i];
            distance = cosine && distance < SameDirection ? 0 : distance;
            if (distance < _nearest[i])
            {
                _nearest[i] = (float)distance;
                _nearestDrawn[i] = offset + _labels[i];
            }
        }
    }

    // Every row on its own: drawn with probability expected · share of the sum, at most 1.
    private List<int> Draw(double expected, ulong seed, int start, int round)
    {
        double sum = 0;
        for (int i = 0; i < _nearest.Length; i++)
        {
            sum += (double)rows.Weights[i] * _nearest[i];
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
            if (word / 4294967296.0 * sum < expected * rows.Weights[i] * _nearest[i])
            {
                drawn.Add(i);
            }
        }

        return drawn;
    }
}
