using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Cluster;

/// <summary>What rows there are for k-means++.</summary>
internal interface ISeedingWeights
{
    /// <summary>Positions in all.</summary>
    int Count { get; }

    /// <summary>Whether a position may be chosen at all.</summary>
    bool HasWeight(int position);
}

/// <summary>What the next row of k-means++ is drawn from, wherever it lies.</summary>
internal interface ISeedingChances : ISeedingWeights
{
    /// <summary>Sum of the chances of a chunk of <see cref="SeedingDistanceBody.ChunkRows"/> positions.</summary>
    double Sum(int chunk);

    /// <summary>Weight times distance to the nearest row chosen so far.</summary>
    double Chance(int position);
}

/// <summary>The random choices of k-means++ on the host; a GPU makes the same from the same numbers, but for how it rounds (k_means_init.cu).</summary>
internal static class SeedingDraw
{
    /// <summary>Draws a position with probability proportional to its chance.</summary>
    /// <returns>The position; −1 where every row coincides with a chosen one.</returns>
    public static int Next<TChances>(ref TChances chances, ref CounterRandom random) where TChances : ISeedingChances, allows ref struct
    {
        int chunks = (chances.Count + SeedingDistanceBody.ChunkRows - 1) / SeedingDistanceBody.ChunkRows;
        double total = 0;
        for (int chunk = 0; chunk < chunks; chunk++)
        {
            total += chances.Sum(chunk);
        }

        if (!(total > 0))
        {
            return -1;
        }

        double left = (random.NextWord() + (random.NextWord() / 4294967296.0)) / 4294967296.0 * total;
        int at = 0;
        while (at < chunks - 1 && left >= chances.Sum(at))
        {
            left -= chances.Sum(at++);
        }

        // Rounding may carry the draw past the last row that has a chance: take that row then.
        int found = -1;
        for (; at >= 0 && found < 0; at--)
        {
            int end = Math.Min(chances.Count, (at + 1) * SeedingDistanceBody.ChunkRows);
            for (int i = at * SeedingDistanceBody.ChunkRows; i < end; i++)
            {
                double chance = chances.Chance(i);
                if (chance > 0)
                {
                    found = i;
                    if (left < chance)
                    {
                        break;
                    }
                }

                left -= chance;
            }
        }

        return found;
    }

    /// <summary>Fewer distinct rows than clusters: the rest are copies, drawn without replacement.</summary>
    /// <param name="weights">Which positions there are.</param>
    /// <param name="list">Row numbers of the positions; null for the same.</param>
    /// <param name="chosen">Rows chosen; what comes after the first <paramref name="done"/> is filled.</param>
    /// <param name="done">How many are there.</param>
    /// <param name="random">Random numbers.</param>
    public static void Fill<TWeights>(ref TWeights weights, int[]? list, int[] chosen, int done, ref CounterRandom random)
        where TWeights : ISeedingWeights, allows ref struct
    {
        var taken = new HashSet<int>(chosen.AsSpan(0, done).ToArray());
        var free = new List<int>();
        for (int i = 0; i < weights.Count; i++)
        {
            int row = list is null ? i : list[i];
            if (weights.HasWeight(i) && !taken.Contains(row))
            {
                free.Add(row);
            }
        }

        for (int k = done; k < chosen.Length; k++)
        {
            int at = random.NextInt(free.Count);
            chosen[k] = free[at];
            free[at] = free[^1];
            free.RemoveAt(free.Count - 1);
        }
    }

    /// <summary>The candidate with the lowest sum; the lowest index on ties.</summary>
    /// <param name="potentials">Sums of chunks.</param>
    /// <param name="draws">Candidates.</param>
    /// <param name="chunks">Chunks of each.</param>
    /// <param name="drawStride">Elements between a chunk's sums of two candidates.</param>
    /// <param name="chunkStride">Elements between two chunks' sums.</param>
    public static int Best(ReadOnlySpan<double> potentials, int draws, int chunks, int drawStride, int chunkStride)
    {
        int best = 0;
        double lowest = double.PositiveInfinity;
        for (int c = 0; c < draws; c++)
        {
            double sum = 0;
            for (int chunk = 0; chunk < chunks; chunk++)
            {
                sum += potentials[(chunk * chunkStride) + (c * drawStride)];
            }

            if (sum < lowest)
            {
                (lowest, best) = (sum, c);
            }
        }

        return best;
    }
}
