using System.Diagnostics;
using Spk.Engine.Collectives;
using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <content>Rows that several processes share.</content>
public static unsafe partial class KMeans
{
    /// <summary>Which rows of a matrix a process has for <see cref="FitShared"/>: consecutive ones, none where there are too few for all.</summary>
    /// <param name="rows">N, rows of the whole matrix.</param>
    /// <param name="processes">The processes.</param>
    /// <returns>The first of them, and how many.</returns>
    public static (int First, int Count) ShareOf(int rows, Collective processes)
    {
        ArgumentNullException.ThrowIfNull(processes);
        ArgumentOutOfRangeException.ThrowIfNegative(rows);
        return SharedRows.ShareOf(rows, processes.Ranks, processes.Rank);
    }

    /// <summary>
    /// Clusters the rows that the processes of a device's <see cref="Device.Collective"/> have together; all call it with the same options. First
    /// centroids are those that one process chooses; after that results differ by the rounding of sums in f64, and no more.
    /// </summary>
    /// <param name="ownRows">This process's rows [n, D], those of <see cref="ShareOf"/>, finite. Read in place.</param>
    /// <param name="rows">N, rows of all processes.</param>
    /// <param name="dimension">D, 1 or more.</param>
    /// <param name="options">
    /// What to do. <see cref="KMeansAlgorithm.MiniBatch"/>, <see cref="KMeansInitialization.Parallel"/>, <see cref="KMeansOptions.TrainingSampleSize"/> and
    /// <see cref="KMeansOptions.MaximumScratchBytes"/> are for one process.
    /// </param>
    /// <param name="device">Where to compute.</param>
    /// <param name="initialCentroids">[K, D], the same on all processes; empty for <see cref="KMeansOptions.Initialization"/>.</param>
    /// <param name="progress">Told after every iteration, on this thread.</param>
    /// <param name="cancellation">Looked at once an iteration; ends all processes.</param>
    /// <returns>Labels and similarities of the own rows; centroids, counts and figures of all.</returns>
    /// <exception cref="InvalidOptionException">An option is out of range or for one process only, or K is above the number of rows.</exception>
    /// <exception cref="ShapeException">Lengths do not fit together.</exception>
    /// <exception cref="NonFiniteException">A row is not finite; the message names it.</exception>
    /// <exception cref="OperationCanceledException">Any process was cancelled.</exception>
    public static KMeansResult FitShared(
        ReadOnlySpan<float> ownRows,
        int rows,
        int dimension,
        KMeansOptions options,
        CpuDevice device,
        ReadOnlySpan<float> initialCentroids = default,
        IProgress<KMeansProgress>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        ArgumentNullException.ThrowIfNull(device);
        long started = Stopwatch.GetTimestamp();
        options.Validate();
        RequireShared(options);
        int count = KMeansInput.Rows(ownRows, dimension, nameof(ownRows));
        var (first, share) = ShareOf(rows, device.Collective);
        if (count != share)
        {
            throw new ShapeException($"Process {device.Collective.Rank} of {device.Collective.Ranks} has {count} of {rows} rows: {share} from row {first} on are its share.");
        }

        KMeansInput.RequireFinite(ownRows, dimension, "rows", first);
        RequireInitial(initialCentroids, dimension, options);
        float[]? scales = Scales(ownRows, dimension, default, options.Metric);
        fixed (float* rowPointer = ownRows, scalePointer = scales)
        {
            // Under cosine a process without rows has no scales either, and needs none.
            var data = new KMeansData { Rows = rowPointer, Scales = scalePointer, Count = count, Dimension = dimension };
            var shared = new SharedRows(device.Collective, data, rows);
            double[] usable = [Usable(count, scales)];
            shared.Add(usable);
            RequireEnoughRows((int)usable[0], weighted: false, options);
            var run = new SharedKMeans(device, shared, options, started, progress, cancellation);
            try
            {
                return BestOf(run, shared, options, initialCentroids);
            }
            finally
            {
                run.Release();
            }
        }
    }

    /// <summary>The result of <see cref="FitShared"/> with labels and similarities of all rows; all processes call it.</summary>
    /// <param name="own">This process's result.</param>
    /// <param name="rows">N, rows of all processes.</param>
    /// <param name="processes">The processes.</param>
    /// <returns>The same on all processes.</returns>
    public static KMeansResult Join(KMeansResult own, int rows, Collective processes)
    {
        ArgumentNullException.ThrowIfNull(own);
        ArgumentNullException.ThrowIfNull(processes);
        return Result(
            own.Dimension, own.Metric, own.Centroids, SharedRows.Join(own.Labels, rows, processes), SharedRows.Join(own.OwnSimilarity, rows, processes), own.Counts,
            own.MeanOwnSimilarity, new KMeansOutcome([.. own.InertiaPerIteration], own.Stop) { Inertia = own.Inertia }, own.Restart);
    }

    private static KMeansResult BestOf(SharedKMeans run, SharedRows shared, KMeansOptions options, ReadOnlySpan<float> initial)
    {
        var data = shared.Own;
        float[] centroids = new float[(long)options.Clusters * data.Dimension], distances = new float[data.Count];
        int[] labels = new int[data.Count];
        KMeansOutcome best;
        int winner;
        fixed (float* centroidPointer = centroids, distancePointer = distances)
        fixed (int* labelPointer = labels)
        {
            (best, winner) = Best(run, options, initial, centroids, centroidPointer, labelPointer, distancePointer);
        }

        int[] counts = new int[options.Clusters];
        var (similarity, weight) = Measure(data, options.Metric, labels, distances, counts);
        double[] all = [similarity, weight, .. counts.Select(c => (double)c)];
        shared.Add(all);
        return Result(
            data.Dimension, options.Metric, centroids, labels, distances, Array.ConvertAll(all[2..], c => (int)c), all[0] / all[1], best, winner);
    }

    private static void RequireShared(KMeansOptions options)
    {
        Require(options.Algorithm != KMeansAlgorithm.MiniBatch, nameof(options.Algorithm), options.Algorithm);
        Require(options.Initialization != KMeansInitialization.Parallel, nameof(options.Initialization), options.Initialization);
        Require(options.TrainingSampleSize is null, nameof(options.TrainingSampleSize), options.TrainingSampleSize);
        Require(options.MaximumScratchBytes == 0, nameof(options.MaximumScratchBytes), options.MaximumScratchBytes);

        static void Require(bool holds, string name, object? value)
        {
            if (!holds)
            {
                throw new InvalidOptionException($"k-means option {name} = {value} is for one process: leave it out, or start one.");
            }
        }
    }
}
