using System.Diagnostics;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Cluster;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>K-means on rows of f32, Euclidean or cosine (spherical): exact, tiled, and the same bits for any number of threads.</summary>
/// <remarks>
/// Rules. Labels are those of f64 arithmetic on the f32 centroids; equal distances go to the lowest cluster. Under cosine rows count
/// by direction only, and need not be normalised; a zero row has similarity 0 to everything, gets cluster 0, and moves no centroid.
/// Rows must be finite; asking for more clusters than there are rows to start from is an error. The N × K matrix is never
/// stored. Rows are read in place on the CPU, where small inputs with few clusters are packed beside them; on a GPU they are copied there,
/// and for bf16 on Hopper's warpgroups a second time, rounded.
/// </remarks>
public static unsafe partial class KMeans
{
    // Below this many multiply-adds an iteration, starting threads costs more than they save.
    private const long WorkForThreads = 2_000_000;

    /// <summary>Clusters the rows of a matrix.</summary>
    /// <param name="rows">[N, D], row-major, finite. Read in place on the CPU.</param>
    /// <param name="dimension">D, 1 or more.</param>
    /// <param name="options">What to do.</param>
    /// <param name="initialCentroids">[K, D], the centroids to start from; empty for <see cref="KMeansOptions.Initialization"/>.</param>
    /// <param name="weights">[N], 0 or more, at least K of them above 0; empty for 1 each.</param>
    /// <param name="device">Where to compute; null for the CPU with all processors.</param>
    /// <param name="progress">Told after every iteration, on this thread.</param>
    /// <param name="cancellation">Looked at several times a second.</param>
    /// <returns>Labels, centroids and how they were reached.</returns>
    /// <exception cref="InvalidOptionException">An option is out of range, K is above the number of rows, or memory is limited too far.</exception>
    /// <exception cref="ShapeException">Lengths do not fit together.</exception>
    /// <exception cref="NonFiniteException">A row, centroid or weight is not finite; the message names it.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static KMeansResult Fit(
        ReadOnlySpan<float> rows,
        int dimension,
        KMeansOptions options,
        ReadOnlySpan<float> initialCentroids = default,
        ReadOnlySpan<float> weights = default,
        Device? device = null,
        IProgress<KMeansProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        long started = Stopwatch.GetTimestamp();
        int count = RequireInputs(rows, dimension, options, initialCentroids, weights);
        using var own = device is null ? OpenCpu(count, dimension, options.Clusters) : null;
        device ??= own!;
        float[]? scales = RequireRoom(rows, dimension, options, weights, device);
        fixed (float* rowPointer = rows, scalePointer = scales, weightPointer = weights)
        {
            var data = new KMeansData { Rows = rowPointer, Scales = scalePointer, Weights = weightPointer, Count = count, Dimension = dimension };
            return options.TrainingSampleSize < count
                ? FitSample(data, options, initialCentroids, device, started, progress, cancellation)
                : Fit(data, options, initialCentroids, device, started, progress, cancellation);
        }
    }

    /// <summary>Checks what does not depend on the device; returns N.</summary>
    internal static int RequireInputs(
        ReadOnlySpan<float> rows, int dimension, KMeansOptions options, ReadOnlySpan<float> initialCentroids, ReadOnlySpan<float> weights)
    {
        options.Validate();
        int count = KMeansInput.Rows(rows, dimension, nameof(rows));
        KMeansInput.RequireFinite(rows, dimension, nameof(rows));
        RequireInitial(initialCentroids, dimension, options);
        if (!weights.IsEmpty)
        {
            KMeansInput.RequireWeights(weights, count);
        }

        return count;
    }

    /// <summary>Checks that there is memory for checked inputs, and rows for the clusters; returns the scales of the rows, null where all are 1.</summary>
    internal static float[]? RequireRoom(ReadOnlySpan<float> rows, int dimension, KMeansOptions options, ReadOnlySpan<float> weights, Device device)
    {
        int count = rows.Length / dimension;
        RequireScratch(count, dimension, options, device, !weights.IsEmpty);
        float[]? scales = Scales(rows, dimension, weights, options.Metric);
        RequireEnoughRows(Usable(count, scales), !weights.IsEmpty, options);
        return scales;
    }

    private static KMeansResult Fit(
        KMeansData data,
        KMeansOptions options,
        ReadOnlySpan<float> initialCentroids,
        Device device,
        long started,
        IProgress<KMeansProgress>? progress,
        CancellationToken cancellation)
    {
        if (device is CudaDevice cuda && options.Algorithm != KMeansAlgorithm.MiniBatch)
        {
            return KMeansLockstep.Fit(cuda, [new KMeansDescent(data, options, initialCentroids)], started, progress, cancellation)[0];
        }

        var memory = new KMeansMemory(device);
        try
        {
            var centroids = new float[(long)options.Clusters * data.Dimension];
            int[] labels = new int[data.Count];
            float[] distances = new float[data.Count];
            fixed (float* centroidPointer = centroids, distancePointer = distances)
            fixed (int* labelPointer = labels)
            {
                using var run = new KMeansRun(options, memory, data, started, progress, cancellation);
                var (outcome, restart) = Best(run, options, initialCentroids, centroids, centroidPointer, labelPointer, distancePointer);
                return Result(data, options, centroids, labels, distances, outcome, restart);
            }
        }
        finally
        {
            memory.Release();
        }
    }

    private static (KMeansOutcome Outcome, int Restart) Best(
        IKMeansDescent run, KMeansOptions options, ReadOnlySpan<float> initial, float[] centroids, float* centroidPointer, int* labels, float* distances)
    {
        KMeansOutcome? best = null;
        float[] kept = [];
        int winner = 0, latest = 0;
        for (int restart = 0; restart < options.Restarts && (best is null || !run.TimeIsUp); restart++)
        {
            WriteInitial(initial, run.Dimension, options.Metric, centroidPointer);
            var outcome = run.Optimize(restart, !initial.IsEmpty, centroidPointer, labels, distances);
            latest = restart;
            if (best is null || outcome.Inertia < best.Inertia)
            {
                (best, winner) = (outcome, restart);
                kept = options.Restarts > 1 ? (float[])centroids.Clone() : [];
            }
        }

        if (winner != latest)
        {
            kept.CopyTo(centroids, 0);
            run.Label(centroidPointer, labels, distances);
        }

        return (best!, winner);
    }

    /// <summary>Makes given centroids those to start from.</summary>
    internal static void WriteInitial(ReadOnlySpan<float> initial, int dimension, ClusterMetric metric, float* centroids)
    {
        fixed (float* given = initial)
        {
            for (int at = 0; at < initial.Length; at += dimension)
            {
                EmptyClusters.WriteRow(given + at, dimension, metric, centroids + at);
            }
        }
    }

    /// <summary>The result of a run, of whose distances it makes similarities.</summary>
    internal static KMeansResult Result(
        in KMeansData data, KMeansOptions options, float[] centroids, int[] labels, float[] distances, KMeansOutcome outcome, int restart)
    {
        int[] counts = new int[options.Clusters];
        var (similarity, weight) = Measure(data, options.Metric, labels, distances, counts);
        return Result(data.Dimension, options.Metric, centroids, labels, distances, counts, similarity / weight, outcome, restart);
    }

    private static KMeansResult Result(
        int dimension,
        ClusterMetric metric,
        float[] centroids,
        int[] labels,
        float[] similarities,
        int[] counts,
        double meanSimilarity,
        KMeansOutcome outcome,
        int restart)
    {
        return new KMeansResult
        {
            Dimension = dimension,
            Metric = metric,
            Labels = labels,
            Centroids = centroids,
            Counts = counts,
            OwnSimilarity = similarities,
            InertiaPerIteration = [.. outcome.InertiaPerIteration],
            Inertia = outcome.Inertia,
            MeanOwnSimilarity = meanSimilarity,
            Iterations = outcome.InertiaPerIteration.Count,
            Stop = outcome.Stop,
            Restart = restart,
        };
    }

    // Counts rows, turns distances into similarities and adds them up, weighted.
    private static (double Similarity, double Weight) Measure(in KMeansData data, ClusterMetric metric, int[] labels, float[] distances, int[] counts)
    {
        double weighted = 0, total = 0;
        for (int i = 0; i < labels.Length; i++)
        {
            counts[labels[i]]++;
            float weight = data.Weights == null ? 1f : data.Weights[i];
            distances[i] = metric == ClusterMetric.Euclidean ? -distances[i] : Similarity(data, i, weight, distances[i]);
            weighted += (double)weight * distances[i];
            total += weight;
        }

        return (weighted, total);
    }

    // The scale is weight / ‖x‖; a row of weight 0 has lost its length there.
    private static float Similarity(in KMeansData data, int row, float weight, float product)
    {
        if (weight > 0)
        {
            return (float)((double)product * data.Scales[row] / weight);
        }

        double length = Math.Sqrt(RowMath.Dot(data.Row(row), data.Row(row), data.Dimension));
        return length > 0 ? (float)(product / length) : 0f;
    }

    private static CpuDevice OpenCpu(int count, int dimension, int clusters) =>
        new((double)count * dimension * clusters < WorkForThreads ? 1 : 0);

    // Null where all factors are 1.
    private static float[]? Scales(ReadOnlySpan<float> rows, int dimension, ReadOnlySpan<float> weights, ClusterMetric metric)
    {
        if (metric == ClusterMetric.Euclidean)
        {
            return weights.IsEmpty ? null : weights.ToArray();
        }

        var scales = new float[rows.Length / dimension];
        fixed (float* first = rows)
        {
            for (int i = 0; i < scales.Length; i++)
            {
                float* row = first + ((nint)i * dimension);
                double length = Math.Sqrt(RowMath.Dot(row, row, dimension));
                scales[i] = length > 0 ? (float)((weights.IsEmpty ? 1.0 : weights[i]) / length) : 0f;
            }
        }

        return scales;
    }

    private static void RequireInitial(ReadOnlySpan<float> initial, int dimension, KMeansOptions options)
    {
        if (initial.IsEmpty)
        {
            return;
        }

        if (initial.Length != (long)options.Clusters * dimension)
        {
            throw new ShapeException(
                $"initial centroids: {initial.Length} values are not {options.Clusters} centroids of {dimension} columns.");
        }

        if (options.Restarts > 1)
        {
            throw new InvalidOptionException($"k-means option Restarts = {options.Restarts}: from given centroids every start is the same; use 1.");
        }

        KMeansInput.RequireFinite(initial, dimension, "initial centroids");
        for (int k = 0; k < options.Clusters && options.Metric == ClusterMetric.Cosine; k++)
        {
            if (!initial.Slice(k * dimension, dimension).ContainsAnyExcept(0f))
            {
                throw new InvalidOptionException($"initial centroids: centroid {k} is zero and has no direction; cosine needs non-zero centroids.");
            }
        }
    }

    private static int Usable(int count, ReadOnlySpan<float> scales)
    {
        if (scales.IsEmpty)
        {
            return count;
        }

        int usable = 0;
        foreach (float scale in scales)
        {
            usable += scale > 0 ? 1 : 0;
        }

        return usable;
    }

    private static void RequireEnoughRows(int usable, bool weighted, KMeansOptions options)
    {
        if (usable < options.Clusters)
        {
            string which = options.Metric == ClusterMetric.Cosine ? "non-zero rows" : "rows";
            which += weighted ? " of weight above 0" : "";
            throw new InvalidOptionException($"k-means option Clusters = {options.Clusters}: there are only {usable} {which}; ask for {usable} clusters or fewer.");
        }
    }
}
