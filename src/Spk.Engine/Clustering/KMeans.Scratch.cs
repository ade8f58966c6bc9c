using System.Globalization;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <content>How much memory a call takes.</content>
public static unsafe partial class KMeans
{
    /// <summary>Bytes that <see cref="Fit(ReadOnlySpan{float}, int, KMeansOptions, ReadOnlySpan{float}, ReadOnlySpan{float}, Device, IProgress{KMeansProgress}, CancellationToken)"/> takes on the CPU beyond its inputs and results.</summary>
    /// <param name="rows">N.</param>
    /// <param name="dimension">D.</param>
    /// <param name="options">What is asked for.</param>
    /// <param name="threads">Worker threads; 0 for one per logical processor.</param>
    /// <param name="weighted">Whether weights are given.</param>
    /// <param name="initialized">Whether the first centroids are given.</param>
    /// <returns>An upper bound, a few kilobytes of small objects aside.</returns>
    public static long EstimateScratchBytes(int rows, int dimension, KMeansOptions options, int threads = 0, bool weighted = false, bool initialized = false)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        int workers = threads == 0 ? Environment.ProcessorCount : threads;
        int clusters = options.Clusters;

        // Ops follow each other, so they share one block; it is as large as the largest of them.
        long shared = Math.Max(
            NearestCentroid.ScratchBytes(workers, rows, dimension, clusters), KMeansUpdate.ScratchBytes(workers, rows, dimension, clusters));
        if (!initialized)
        {
            shared = Math.Max(shared, KMeansInit.ScratchBytes(workers, rows, dimension, clusters, options.Initialization, options.PlusPlusCandidates));
        }

        long own = clusters * (long)sizeof(int);
        own += weighted || options.Metric == ClusterMetric.Cosine ? rows * (long)sizeof(float) : 0;
        own += options.Algorithm switch
        {
            KMeansAlgorithm.Lloyd => KMeansRun.HostBytes(workers, rows, dimension, clusters),
            KMeansAlgorithm.Bounded => KMeansBounds.Bytes(rows, dimension, clusters),
            KMeansAlgorithm.MiniBatch => KMeansRun.MiniBatchBytes(Math.Min(options.MiniBatchSize, rows), dimension, clusters),
            _ => 0,
        };
        if (options.TrainingSampleSize is { } sample && sample < rows)
        {
            own += sample * ((dimension + 4L) * sizeof(float));
            own += rows * (long)sizeof(int);
        }

        own += options.Restarts > 1 ? (long)clusters * dimension * sizeof(float) : 0;
        return shared + own;
    }

    /// <summary>Bytes that the same call takes of a GPU: rows, centroids, and what assignment, update and seeding need beside them.</summary>
    /// <param name="rows">N.</param>
    /// <param name="dimension">D.</param>
    /// <param name="options">What is asked for.</param>
    /// <returns>An upper bound, a few kilobytes of small objects aside.</returns>
    public static long EstimateDeviceBytes(int rows, int dimension, KMeansOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        long clusters = options.Clusters;

        // Labels, distances and scales stay; assignment, update and seeding come and go. Few rows are split among as many blocks as a GPU wants.
        // Products in bf16 may take rounded copies of rows, which stay, and of centroids; k-means‖ makes its own.
        int candidates = KMeansInit.Candidates(options.PlusPlusCandidates, options.Clusters);
        long update = (rows * 6L * sizeof(int)) + (((rows / KMeansUpdate.PieceRows) + clusters) * (dimension + 1L) * sizeof(double));
        long seeding = rows * ((candidates + 8L) * sizeof(float));
        long rounded = rows * sizeof(ushort) * ((dimension + 7L) & ~7L);
        long assignment = (3L * sizeof(float) * Math.Max(rows, 1 << 16)) + (sizeof(ushort) * (rows + clusters) * ((dimension + 7L) & ~7L));
        return ((((rows + (2 * clusters)) * dimension) + (rows * 8L) + clusters) * sizeof(float)) + rounded + Math.Max(assignment, Math.Max(update, seeding));
    }

    private static void RequireScratch(int count, int dimension, KMeansOptions options, Device device, bool weighted)
    {
        if (options.MaximumScratchBytes == 0)
        {
            return;
        }

        long needed = EstimateScratchBytes(count, dimension, options, device is CpuDevice cpu ? cpu.Threads : 1, weighted);
        if (needed > options.MaximumScratchBytes)
        {
            throw new InvalidOptionException(string.Create(
                CultureInfo.InvariantCulture,
                $"k-means option MaximumScratchBytes = {options.MaximumScratchBytes}: {count} rows of {dimension} columns and {options.Clusters} clusters need {needed} bytes; raise the limit or use fewer threads."));
        }
    }
}
