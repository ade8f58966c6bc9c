using Spk.Engine.Clustering;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Engine.Ops.Cluster;

/// <summary>First centroids of k-means: random rows, k-means++ or k-means‖.</summary>
/// <remarks>Every random number is a function of seed and start; bits do not depend on the number of threads.</remarks>
public static partial class KMeansInit
{
    /// <summary>Chooses K rows as centroids.</summary>
    /// <param name="device">Where everything lies.</param>
    /// <param name="rows">f32 [N, D], finite.</param>
    /// <param name="scales">f32 [N] as in <see cref="KMeansUpdate"/>; null for 1. Rows of scale 0 are never chosen. Under cosine needed: weight over length.</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="kind">How rows are chosen.</param>
    /// <param name="candidates">Candidates a step of k-means++; 0 stands for 2 + ln K.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="start">Which of several starts.</param>
    /// <param name="centroids">f32 [K, D], out; under cosine of unit length.</param>
    /// <param name="cancellation">Looked at once a pass over the rows.</param>
    /// <exception cref="ShapeException">Shapes, types or devices do not fit together.</exception>
    /// <exception cref="InvalidOptionException">Fewer than K rows have a scale above 0.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static void Forward(
        Device device,
        Tensor rows,
        Tensor? scales,
        ClusterMetric metric,
        KMeansInitialization kind,
        int candidates,
        ulong seed,
        int start,
        Tensor centroids,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(device);
        ClusterChecks.RequireMatrix(device, rows, nameof(rows));
        ClusterChecks.RequireMatrix(device, centroids, nameof(centroids), rows.Shape[1]);
        if (scales is not null)
        {
            ClusterChecks.RequireVector(device, scales, nameof(scales), rows.Shape[0], ElementType.Float32);
        }
        else if (metric == ClusterMetric.Cosine)
        {
            throw new ShapeException("Cosine needs the scale of every row: its weight over its length.");
        }

        if (device is CudaDevice cuda)
        {
            CudaForward(cuda, new CudaProblems(rows.Shape[0]), rows, scales, metric, kind, candidates, [seed], start, centroids, cancellation);
        }
        else
        {
            CpuForward(Cpu.Of(device), rows, scales, metric, kind, candidates, seed, start, centroids, cancellation);
        }
    }

    /// <summary>Candidates a step of k-means++: what is asked for, or 2 + ln K.</summary>
    internal static int Candidates(int asked, int clusters) => asked > 0 ? asked : 2 + (int)Math.Log(clusters);

    /// <summary>The first K places of a random permutation of the rows that may be chosen.</summary>
    /// <param name="count">N.</param>
    /// <param name="scales">Scales of the rows, or nothing for 1.</param>
    /// <param name="clusters">K.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="start">Which start.</param>
    internal static int[] RandomRows(int count, ReadOnlySpan<float> scales, int clusters, ulong seed, int start)
    {
        int[] rows = new int[count];
        int usable = 0;
        for (int i = 0; i < rows.Length; i++)
        {
            if (scales.IsEmpty || scales[i] > 0)
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
