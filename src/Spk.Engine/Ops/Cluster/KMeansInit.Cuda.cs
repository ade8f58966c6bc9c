using Spk.Engine.Clustering;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Cluster;

/// <content>The CUDA side.</content>
public static partial class KMeansInit
{
    private const int CudaThreads = 256;

    private static readonly KernelId WriteKernel = new("cluster/k_means_init", "k_means_init_write");

    /// <summary>Makes rows centroids, under cosine of unit length.</summary>
    internal static void CudaWrite(CudaDevice cuda, Tensor rows, ReadOnlySpan<int> chosen, ClusterMetric metric, Tensor centroids)
    {
        var numbers = cuda.RentCopy(chosen);
        cuda.Launch(
            WriteKernel, new LaunchShape(chosen.Length, CudaThreads), rows.Address, rows.RowStride, numbers.Address, rows.Shape[1],
            metric == ClusterMetric.Cosine ? 1 : 0, centroids.Address, centroids.RowStride);
    }

    private static void CudaForward(
        CudaDevice cuda,
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
        var before = cuda.Workspace.Position;
        int clusters = centroids.Shape[0], draws = Candidates(candidates, clusters);
        float[] hostScales = scales is null ? [] : new float[rows.Shape[0]];
        scales?.CopyTo(hostScales);
        int[] chosen = kind switch
        {
            KMeansInitialization.RandomRows => RandomRows(rows.Shape[0], hostScales, clusters, seed, start),
            KMeansInitialization.PlusPlus => new CudaPlusPlusSeeding(cuda, rows, scales, metric, null, draws).Run(null, clusters, draws, seed, start, cancellation),
            _ => new ParallelSeeding(new CudaSeedingRows(cuda, rows, scales, metric)).Run(hostScales, clusters, draws, seed, start, cancellation),
        };
        CudaWrite(cuda, rows, chosen, metric, centroids);
        cuda.Workspace.Advance(before);
    }
}
