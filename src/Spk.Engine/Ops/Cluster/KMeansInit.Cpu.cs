using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Cluster;

/// <content>The CPU side.</content>
public static unsafe partial class KMeansInit
{
    /// <summary>Bytes of scratch memory of the CPU side.</summary>
    internal static long ScratchBytes(int threads, int count, int dimension, int clusters, KMeansInitialization kind, int candidates) => kind switch
    {
        KMeansInitialization.RandomRows => (long)count * sizeof(int),
        KMeansInitialization.PlusPlus => PlusPlusSeeding.ScratchBytes(count, Candidates(candidates, clusters)),
        _ => ParallelSeeding.ScratchBytes(threads, count, dimension, clusters, Candidates(candidates, clusters)),
    };

    private static void CpuForward(
        CpuDevice cpu,
        Tensor rows,
        Tensor? scales,
        ClusterMetric metric,
        KMeansInitialization kind,
        int candidates,
        ulong seed,
        int start,
        Tensor centroids,
        CancellationToken cancellation)
    {
        var source = new SeedingSource
        {
            Rows = rows.Data,
            RowStride = rows.RowStride,
            Count = rows.Shape[0],
            Dimension = rows.Shape[1],
            Scales = scales is null ? null : scales.Data,
            Metric = metric,
        };
        int clusters = centroids.Shape[0];
        int[] chosen = kind switch
        {
            KMeansInitialization.RandomRows => RandomRows(source, clusters, seed, start),
            KMeansInitialization.PlusPlus => PlusPlusSeeding.Run(cpu, source, null, clusters, Candidates(candidates, clusters), seed, start, cancellation),
            _ => ParallelSeeding.Run(cpu, source, clusters, Candidates(candidates, clusters), seed, start, cancellation),
        };
        for (int k = 0; k < clusters; k++)
        {
            EmptyClusters.WriteRow(source.Row(chosen[k]), source.Dimension, metric, centroids.Row(k));
        }
    }

    /// <summary>The first K places of a random permutation of the rows that may be chosen.</summary>
    internal static int[] RandomRows(in SeedingSource source, int clusters, ulong seed, int start)
    {
        int[] rows = new int[source.Count];
        int usable = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            if (source.Scales == null || source.Scales[i] > 0)
            {
                rows[usable++] = i;
            }
        }

        RequireRows(usable, clusters);
        var random = new CounterRandom(seed, RandomPurpose.Clustering, KMeansStreams.Initialization, start);
        for (int k = 0; k < clusters; k++)
        {
            int other = k + random.NextInt(usable - k);
            (rows[k], rows[other]) = (rows[other], rows[k]);
        }

        return rows.AsSpan(0, clusters).ToArray();
    }

    internal static void RequireRows(int usable, int clusters)
    {
        if (usable < clusters)
        {
            throw new InvalidOptionException($"{clusters} first centroids were asked for, but only {usable} rows have a scale above 0; ask for fewer clusters.");
        }
    }
}
