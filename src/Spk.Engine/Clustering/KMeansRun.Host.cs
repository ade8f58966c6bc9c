using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <content>Lloyd in host memory: the objective comes from the sums of the update, not from every row.</content>
internal sealed unsafe partial class KMeansRun
{
    private float[]? _previous;

    // Where rows lie this much farther from the origin than from their centroids, squares cancel too far: rows are measured.
    private const double SmallestShare = 1e-7;

    /// <summary>Bytes of memory beyond the ops'.</summary>
    public static long HostBytes(int threads, int count, int dimension, int clusters)
    {
        long search = FewClusters.Bytes(threads, count, dimension, clusters) is > 0 and { } few ? few : ManyClusters.Bytes(count);
        return search + ((long)clusters * ((dimension * sizeof(float)) + sizeof(double))) + OwnDistances.Bytes(count);
    }

    private double HostLabel(CpuDevice cpu, ILabelSearch search, float* centroids, int* labels, float* distances)
    {
        search.Assign(cpu, centroids, labels, _cancellation);
        return OwnDistances.Measure(cpu, _data, _options.Metric, centroids, labels, distances);
    }

    private KMeansOutcome HostLloyd(
        CpuDevice cpu, ILabelSearch search, int restart, float* centroids, Tensor centroidTensor, int* labels, Tensor labelTensor, float* distances)
    {
        int[] counts = new int[Clusters];
        double[] gains = new double[Clusters];
        float[] previous = _previous ??= new float[(long)Clusters * Dimension];
        var inertia = new List<double>();
        fixed (int* hostCounts = counts)
        fixed (double* gain = gains)
        fixed (float* before = previous)
        {
            var countTensor = _memory.Output(hostCounts, new Shape(Clusters), ElementType.Int32);
            for (int iteration = 1; iteration <= _options.MaximumIterations; iteration++)
            {
                int changed = search.Assign(cpu, centroids, labels, _cancellation);
                if (changed == 0 && !(_options.EmptyClusters == EmptyClusterPolicy.Split && counts.Contains(0)))
                {
                    inertia.Add(OwnDistances.Measure(cpu, _data, _options.Metric, centroids, labels, distances));
                    Report(restart, iteration, new KMeansAssignment(inertia[^1], 0), counts);
                    return new KMeansOutcome(inertia, KMeansStop.Converged) { Inertia = inertia[^1] };
                }

                new ReadOnlySpan<float>(centroids, previous.Length).CopyTo(previous);
                KMeansUpdate.CpuForward(cpu, _rows, _scales, labelTensor, _options.Metric, centroidTensor, countTensor, gain);
                bool empty = _options.EmptyClusters != EmptyClusterPolicy.Keep && counts.Contains(0);
                bool measures = empty && _options.EmptyClusters == EmptyClusterPolicy.Farthest;
                double objective = search.TotalSquares - gains.Sum();
                if (measures || (_options.Metric == ClusterMetric.Euclidean && !(objective > SmallestShare * search.TotalSquares)))
                {
                    objective = OwnDistances.Measure(cpu, _data, _options.Metric, before, labels, distances);
                }

                inertia.Add(objective);
                Report(restart, iteration, new KMeansAssignment(objective, changed), counts);
                if (empty)
                {
                    Refill(restart, iteration, centroids, centroidTensor, distances, counts);
                }

                if (Ended(inertia) is { } reason)
                {
                    return new KMeansOutcome(inertia, reason);
                }
            }
        }

        return new KMeansOutcome(inertia, KMeansStop.MaximumIterations);
    }
}
