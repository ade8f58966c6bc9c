using Spk.Engine.Numerics;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>New centroids for clusters without rows, in host memory.</summary>
internal static unsafe class EmptyClusters
{
    // Perturbation of faiss's split, exact in f32.
    private const float Step = 1f / 1024;

    // Below this 1 − cosine two rows have the same direction as far as f32 can tell.
    private const double SameDirection = 1e-6;

    /// <summary>New centroids where there are no rows, by the policy of the options, which is not to keep them.</summary>
    public static void Refill(KMeansOptions options, int restart, int iteration, in KMeansData data, float* distances, int[] counts, float* centroids)
    {
        if (options.EmptyClusters == EmptyClusterPolicy.Farthest)
        {
            MoveToFarthest(data, options.Metric, distances, counts, centroids);
        }
        else
        {
            // A copy: the caller's counts are still compared with the labels.
            Split(options, restart, iteration, (int[])counts.Clone(), centroids, data.Dimension);
        }
    }

    /// <summary>See <see cref="EmptyClusterPolicy.Farthest"/>.</summary>
    public static void MoveToFarthest(in KMeansData data, ClusterMetric metric, float* distances, int[] counts, float* centroids)
    {
        int empty = counts.Count(c => c == 0), limit = FirstLimit(empty, data.Count);
        List<int> chosen;

        // Copies are passed over, so a list may turn out too short: then it is made again, longer.
        while (!Choose(data, Farthest(data, metric, distances, limit), empty, out chosen) && limit < data.Count)
        {
            limit = NextLimit(limit, data.Count);
        }

        int next = 0;
        for (int k = 0; k < counts.Length && next < chosen.Count; k++)
        {
            if (counts[k] == 0)
            {
                WriteRow(data.Row(chosen[next++]), data.Dimension, metric, centroids + ((nint)k * data.Dimension));
            }
        }
    }

    /// <summary>How many of the farthest rows to look at first.</summary>
    public static int FirstLimit(int empty, int count) => (int)Math.Min(count, (2L * empty) + 64);

    /// <summary>How many, where too many of them were copies.</summary>
    public static int NextLimit(int limit, int count) => (int)Math.Min(count, 8L * limit);

    /// <summary>See <see cref="EmptyClusterPolicy.Split"/>. Counts are updated.</summary>
    public static void Split(KMeansOptions options, int restart, int iteration, int[] counts, float* centroids, int dimension)
    {
        var random = new CounterRandom(options.Seed, RandomPurpose.Clustering, KMeansStreams.Split + iteration, restart);
        for (int k = 0; k < counts.Length; k++)
        {
            long spare = counts.Sum(c => (long)Math.Max(0, c - 1));
            if (counts[k] > 0 || spare == 0)
            {
                continue;
            }

            long draw = (long)(((double)random.NextWord() / 4294967296.0) * spare);
            int donor = 0;
            for (; draw >= Math.Max(0, counts[donor] - 1); donor++)
            {
                draw -= Math.Max(0, counts[donor] - 1);
            }

            float* from = centroids + ((nint)donor * dimension), to = centroids + ((nint)k * dimension);
            for (int d = 0; d < dimension; d++)
            {
                float sign = d % 2 == 0 ? Step : -Step;
                float value = from[d];
                to[d] = value * (1 + sign);
                from[d] = value * (1 - sign);
            }

            if (options.Metric == ClusterMetric.Cosine)
            {
                WriteRow(from, dimension, options.Metric, from);
                WriteRow(to, dimension, options.Metric, to);
            }

            counts[k] = counts[donor] / 2;
            counts[donor] -= counts[k];
        }
    }

    /// <summary>Copies a row to a centroid; under cosine at unit length.</summary>
    public static void WriteRow(float* row, int dimension, ClusterMetric metric, float* centroid)
    {
        double length = metric == ClusterMetric.Cosine ? Math.Sqrt(RowMath.Dot(row, row, dimension)) : 1;
        for (int d = 0; d < dimension; d++)
        {
            centroid[d] = (float)(row[d] / length);
        }
    }

    /// <summary>The rows farthest from their centroids, farthest first, lowest row on ties. Nearness is minus the squared distance, or the similarity.</summary>
    public static List<(int Row, double Nearness)> Farthest(in KMeansData data, ClusterMetric metric, float* distances, int limit)
    {
        // The nearest of those kept is at the front, to be pushed out.
        var kept = new PriorityQueue<int, (double, int)>();
        for (int i = 0; i < data.Count; i++)
        {
            if (data.Scales != null && !(data.Scales[i] > 0))
            {
                continue;
            }

            double nearness = -distances[i];
            if (metric == ClusterMetric.Cosine)
            {
                nearness = distances[i] * (double)data.Scales[i] / (data.Weights == null ? 1 : data.Weights[i]);
            }

            if (metric == ClusterMetric.Cosine ? nearness >= 1 - SameDirection : nearness >= 0)
            {
                continue;
            }

            if (kept.Count < limit)
            {
                kept.Enqueue(i, (-nearness, -i));
            }
            else
            {
                kept.EnqueueDequeue(i, (-nearness, -i));
            }
        }

        var found = new List<(int, double)>();
        while (kept.TryDequeue(out int row, out var key))
        {
            found.Add((row, -key.Item1));
        }

        found.Reverse();
        return found;
    }

    /// <summary>Chooses from the farthest rows, without copies of those chosen already.</summary>
    /// <returns>Whether there were as many as wanted.</returns>
    public static bool Choose(in KMeansData data, List<(int Row, double Nearness)> farthest, int wanted, out List<int> chosen)
    {
        chosen = [];
        var taken = new List<(int Row, double Nearness)>();
        foreach (var (row, nearness) in farthest)
        {
            if (chosen.Count == wanted)
            {
                break;
            }

            if (!IsCopy(data, row, nearness, taken))
            {
                chosen.Add(row);
                taken.Add((row, nearness));
            }
        }

        return chosen.Count == wanted;
    }

    // Copies of a row have the same label and so the same distance: only those need be compared.
    private static bool IsCopy(in KMeansData data, int row, double nearness, List<(int Row, double Nearness)> taken)
    {
        for (int t = taken.Count - 1; t >= 0 && taken[t].Nearness == nearness; t--)
        {
            var one = new ReadOnlySpan<float>(data.Row(taken[t].Row), data.Dimension);
            if (one.SequenceEqual(new ReadOnlySpan<float>(data.Row(row), data.Dimension)))
            {
                return true;
            }
        }

        return false;
    }
}
