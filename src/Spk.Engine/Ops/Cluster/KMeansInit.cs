using Spk.Engine.Clustering;
using Spk.Engine.Devices;
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

        CpuForward(Cpu.Of(device), rows, scales, metric, kind, candidates, seed, start, centroids, cancellation);
    }

    /// <summary>Candidates a step of k-means++: what is asked for, or 2 + ln K.</summary>
    internal static int Candidates(int asked, int clusters) => asked > 0 ? asked : 2 + (int)Math.Log(clusters);
}
