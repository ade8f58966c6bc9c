using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;

namespace Spk.Engine.Ops.Cluster;

/// <summary>
/// k-means++ with several candidates a step: each is drawn with probability proportional to weight times distance from what is
/// chosen already, and the one that lowers the sum of those most is taken (lowest draw on ties).
/// </summary>
internal static unsafe class PlusPlusSeeding
{
    /// <summary>Bytes of scratch memory of <see cref="Run"/>.</summary>
    public static long ScratchBytes(long count, int candidates) =>
        (Chunks(count) * (candidates + 1) * sizeof(double)) + (count * (candidates + 3) * sizeof(float)) + 64;

    /// <summary>Chooses distinct rows.</summary>
    /// <param name="cpu">Where to compute.</param>
    /// <param name="source">The rows.</param>
    /// <param name="subset">Which rows may be chosen, with their weights; null for all rows of scale above 0.</param>
    /// <param name="clusters">How many.</param>
    /// <param name="candidates">Draws a step.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="start">Which start.</param>
    /// <param name="cancellation">Looked at every step.</param>
    /// <returns>Row numbers, in the order chosen.</returns>
    public static int[] Run(
        CpuDevice cpu, SeedingSource source, (int[] Rows, double[] Weights)? subset, int clusters, int candidates, ulong seed, int start, CancellationToken cancellation)
    {
        int count = subset?.Rows.Length ?? source.Count;
        int chunks = (int)Chunks(count);
        byte* memory = (byte*)cpu.SharedScratch((ScratchBytes(count, candidates) + sizeof(float) - 1) / sizeof(float));
        double* sums = (double*)memory;
        float* floats = (float*)(sums + ((long)chunks * (candidates + 1)));
        float** drawn = stackalloc float*[candidates];
        float* drawnInverse = stackalloc float[candidates];
        fixed (int* list = subset?.Rows)
        {
            var body = new SeedingDistanceBody
            {
                Source = source,
                List = list,
                Count = count,
                Drawn = drawn,
                DrawnInverse = drawnInverse,
                Sums = sums,
                Potentials = sums + chunks,
                Nearest = floats,
                Weights = floats + count,
                Inverse = floats + (2L * count),
                Trial = floats + (3L * count),
            };
            int usable = Prepare(body, subset?.Weights);
            KMeansInit.RequireRows(usable, clusters);
            var random = new CounterRandom(seed, RandomPurpose.Clustering, KMeansStreams.Initialization, start);
            int[] chosen = new int[clusters];
            int* draws = stackalloc int[candidates];
            for (int k = 0; k < clusters; k++)
            {
                cancellation.ThrowIfCancellationRequested();
                body.IsFirst = k == 0;
                body.Draws = body.IsFirst ? 1 : candidates;
                for (int c = 0; c < body.Draws; c++)
                {
                    draws[c] = SeedingDraw.Next(ref body, ref random);
                    if (draws[c] < 0)
                    {
                        SeedingDraw.Fill(ref body, subset?.Rows, chosen, k, ref random);
                        return chosen;
                    }

                    drawn[c] = body.Row(draws[c]);
                    drawnInverse[c] = body.Inverse[draws[c]];
                }

                cpu.Workers.For(chunks, ref body);
                int best = SeedingDraw.Best(new ReadOnlySpan<double>(body.Potentials, chunks * body.Draws), body.Draws, chunks, 1, body.Draws);
                chosen[k] = list == null ? draws[best] : list[draws[best]];
                var take = new SeedingTakeBody { Distances = body, Taken = best };
                cpu.Workers.For(chunks, ref take);
            }

            return chosen;
        }
    }

    private static long Chunks(long count) => (count + SeedingDistanceBody.ChunkRows - 1) / SeedingDistanceBody.ChunkRows;

    /// <summary>Before the first choice every row is at distance 1 from "nothing": it is drawn by its weight.</summary>
    /// <returns>Positions that may be chosen.</returns>
    public static int Prepare(in SeedingDistanceBody body, double[]? weights)
    {
        int usable = 0;
        for (int i = 0; i < body.Count; i++)
        {
            int row = body.List == null ? i : body.List[i];
            double weight = weights is null ? body.Source.Weight(row) : weights[i];
            float* x = body.Row(i);
            body.Weights[i] = (float)weight;
            body.Inverse[i] = body.Source.Metric == ClusterMetric.Cosine ? (float)(1 / Math.Sqrt(RowMath.Dot(x, x, body.Source.Dimension))) : 1f;
            body.Nearest[i] = 1f;
            usable += weight > 0 ? 1 : 0;
        }

        for (int chunk = 0; chunk * SeedingDistanceBody.ChunkRows < body.Count; chunk++)
        {
            double sum = 0;
            int end = Math.Min(body.Count, (chunk + 1) * SeedingDistanceBody.ChunkRows);
            for (int i = chunk * SeedingDistanceBody.ChunkRows; i < end; i++)
            {
                sum += body.Weights[i];
            }

            body.Sums[chunk] = sum;
        }

        return usable;
    }
}
