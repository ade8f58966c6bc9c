using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;

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
            KMeansInitialization.RandomRows => RandomRows(source.Count, source.ScaleSpan, clusters, seed, start),
            KMeansInitialization.PlusPlus => PlusPlusSeeding.Run(cpu, source, null, clusters, Candidates(candidates, clusters), seed, start, cancellation),
            _ => new ParallelSeeding(new CpuSeedingRows(cpu, source)).Run(source.ScaleSpan, clusters, Candidates(candidates, clusters), seed, start, cancellation),
        };
        for (int k = 0; k < clusters; k++)
        {
            EmptyClusters.WriteRow(source.Row(chosen[k]), source.Dimension, metric, centroids.Row(k));
        }
    }
}
