using System.Diagnostics;
using Spk.Engine.Devices;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// Deep clustering by a small network over embeddings: IMSAT (Hu et al., arXiv:1702.08720) and CAMSAT, which adds consistency and symmetry under
/// augmentation and so finds the number of clusters below an upper bound by itself.
/// </summary>
/// <remarks>
/// <para>
/// A perceptron gives every row a distribution over K classes; its label is the most probable one. Training makes predictions sure and all classes
/// used (information maximisation), and the same for a row, for the row moved the worst way within a quarter of the distance to its tenth neighbour
/// (virtual adversarial training), and for views of the row: embeddings of the same recording with noise, babble or reverberation.
/// </para>
/// <para>Results are the same bits for any number of threads. Nothing is allocated in a step once the first is done.</para>
/// </remarks>
public static class Camsat
{
    /// <summary>Clusters the rows of a matrix.</summary>
    /// <param name="rows">[N, D], row-major, finite, 3 rows or more.</param>
    /// <param name="dimension">D, 1 or more.</param>
    /// <param name="options">What to do.</param>
    /// <param name="views">[V, N, D], V of 2 or more: view after view, row i of each a view of row i. Empty for views by noise (<see cref="CamsatOptions.NoiseViews"/>).</param>
    /// <param name="truth">[N], known classes, to measure every epoch against; empty for none. Training never sees them.</param>
    /// <param name="device">Where to compute; null for the CPU with all processors. What is taken of its workspace is given back.</param>
    /// <param name="progress">Told after every epoch, on this thread.</param>
    /// <param name="cancellation">Looked at every step.</param>
    /// <returns>Labels, and how they were reached.</returns>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    /// <exception cref="ShapeException">Lengths do not fit together.</exception>
    /// <exception cref="NonFiniteException">A value is not finite (the message names it), or training diverged.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static CamsatResult Fit(
        ReadOnlySpan<float> rows,
        int dimension,
        CamsatOptions options,
        ReadOnlySpan<float> views = default,
        ReadOnlySpan<int> truth = default,
        Device? device = null,
        IProgress<CamsatEpoch>? progress = null,
        CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        long started = Stopwatch.GetTimestamp();
        options.Validate();
        int count = truth.IsEmpty ? Points.Count(rows, dimension) : Points.Count(rows, dimension, truth);
        if (count < 3)
        {
            throw new ShapeException($"{count} rows: a network that clusters by batch statistics needs at least 3.");
        }

        if (!views.IsEmpty && (views.Length % rows.Length != 0 || views.Length < 2 * rows.Length))
        {
            throw new ShapeException($"{views.Length} values are no views [V, {count}, {dimension}] with V of 2 or more.");
        }

        if (!views.IsEmpty)
        {
            Points.Count(views, dimension, "views");
        }

        using var own = device is null ? new CpuDevice() : null;
        device ??= own!;
        var start = device.Workspace.Position;
        try
        {
            var data = CamsatData.Load(device, rows, dimension, options, options.UsesViews ? views : default);
            var run = new CamsatRun(device, data, dimension, options, cancellation);
            int[]? classes = truth.IsEmpty ? null : truth.ToArray();
            var history = new List<CamsatEpoch>(options.Epochs);
            for (int epoch = 1; epoch <= options.Epochs; epoch++)
            {
                run.Train(epoch);
                run.Label();
                history.Add(run.Describe(epoch, classes, Stopwatch.GetElapsedTime(started)));
                progress?.Report(history[^1]);
            }

            return run.Result(history);
        }
        finally
        {
            device.Workspace.Advance(start);
        }
    }

    /// <summary>Bytes that <see cref="Fit"/> takes on a device: rows, views, network and a step. Found by steps of a few rows, which take what theirs take.</summary>
    /// <param name="rows">N.</param>
    /// <param name="dimension">D.</param>
    /// <param name="options">What is asked for.</param>
    /// <param name="views">V, views given; 0 for none.</param>
    /// <returns>An upper bound for batches of up to some thousand rows; InfoNCE and SupCon compare those of a batch in blocks, which are left out.</returns>
    /// <exception cref="InvalidOptionException">An option is out of range.</exception>
    public static long EstimateBytes(int rows, int dimension, CamsatOptions options, int views = 0)
    {
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        const int Few = 4, More = 8;
        options = options with { NoiseViews = views > 0 ? views : options.NoiseViews };
        long few = StepBytes(Few, dimension, options), more = StepBytes(More, dimension, options);
        var (kept, passing) = CamsatData.Bytes(rows, dimension, options);
        long step = few + ((more - few) / (More - Few) * Math.Max(0, Math.Min(options.BatchSize, rows) - Few));
        return kept + Math.Max(passing, step + (2L * rows * sizeof(float)));
    }

    // Network, optimiser and one step, without the data.
    private static long StepBytes(int batch, int dimension, CamsatOptions options)
    {
        using var device = new CpuDevice();
        var few = CamsatData.Load(device, new float[batch * dimension], dimension, options, []);
        long data = device.Workspace.UsedBytes;
        new CamsatRun(device, few, dimension, options with { BatchSize = batch }, default).Train(1);
        return device.Workspace.PeakBytes - data;
    }
}
