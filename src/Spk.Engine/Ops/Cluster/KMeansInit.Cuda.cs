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

    /// <summary>Makes rows of all problems at work centroids, under cosine of unit length.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="problems">Which they are.</param>
    /// <param name="rows">f32 [rows of all problems, D].</param>
    /// <param name="chosen">[problems, K], rows counted from the first of their problem.</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="centroids">f32 [problems · K, D], out.</param>
    internal static unsafe void CudaWrite(
        CudaDevice cuda, CudaProblems problems, Tensor rows, ReadOnlySpan<int> chosen, ClusterMetric metric, Tensor centroids)
    {
        var numbers = cuda.RentCopy(chosen);
        var view = problems.View;
        cuda.Launch(
            WriteKernel, problems.Shape(chosen.Length / problems.Count, CudaThreads), KernelArgument.Structure(&view), rows.Address, rows.RowStride,
            numbers.Address, rows.Shape[1], metric == ClusterMetric.Cosine ? 1 : 0, centroids.Address, centroids.RowStride);
    }

    /// <summary>Chooses the first centroids of all problems at work: random rows and k-means++ together, k-means‖ one problem after the other.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="problems">Which they are.</param>
    /// <param name="rows">f32 [rows of all problems, D].</param>
    /// <param name="scales">f32 [rows of all problems], or null.</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="kind">How rows are chosen.</param>
    /// <param name="candidates">Candidates a step of k-means++; 0 stands for 2 + ln K.</param>
    /// <param name="seeds">Of each problem.</param>
    /// <param name="start">Which of several starts.</param>
    /// <param name="centroids">f32 [problems · K, D], out for those at work.</param>
    /// <param name="cancellation">Looked at before each step of k-means++ is queued, and once a pass of k-means‖ over the rows.</param>
    internal static void CudaForward(
        CudaDevice cuda,
        CudaProblems problems,
        Tensor rows,
        Tensor? scales,
        ClusterMetric metric,
        KMeansInitialization kind,
        int candidates,
        ReadOnlySpan<ulong> seeds,
        int start,
        Tensor centroids,
        CancellationToken cancellation)
    {
        var before = cuda.Workspace.Position;
        int clusters = centroids.Shape[0] / problems.Count, draws = Candidates(candidates, clusters);
        float[] hostScales = scales is null ? [] : new float[problems.Rows];
        scales?.CopyTo(hostScales);
        foreach (int problem in problems.AtWork)
        {
            RequireRows(scales is null ? problems.Of(problem, rows).Shape[0] : Usable(Scales(problem)), clusters);
        }

        int[][] chosen = new int[problems.Count][];
        if (kind == KMeansInitialization.PlusPlus)
        {
            chosen = new CudaPlusPlusSeeding(cuda, problems, rows, scales, metric).Run(clusters, draws, seeds, start, cancellation);
        }
        else
        {
            foreach (int problem in problems.AtWork)
            {
                var own = problems.Of(problem, rows);
                chosen[problem] = kind == KMeansInitialization.RandomRows
                    ? RandomRows(own.Shape[0], Scales(problem), clusters, seeds[problem], start)
                    : new ParallelSeeding(new CudaSeedingRows(cuda, own, scales is null ? null : problems.Of(problem, scales), metric)).Run(
                        Scales(problem), clusters, draws, seeds[problem], start, cancellation);
                cuda.Workspace.Advance(before);
            }
        }

        int[] all = new int[problems.Count * clusters];
        foreach (int problem in problems.AtWork)
        {
            chosen[problem].CopyTo(all, problem * clusters);
        }

        CudaWrite(cuda, problems, rows, all, metric, centroids);
        cuda.Workspace.Advance(before);

        ReadOnlySpan<float> Scales(int problem) => hostScales.Length == 0 ? [] : problems.Of<float>(problem, hostScales);
    }

    private static int Usable(ReadOnlySpan<float> scales)
    {
        int usable = 0;
        foreach (float scale in scales)
        {
            usable += scale > 0 ? 1 : 0;
        }

        return usable;
    }
}
