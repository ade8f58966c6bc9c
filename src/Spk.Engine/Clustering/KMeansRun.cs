using System.Diagnostics;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>
/// Optimises centroids on one device. All pointers are to host memory of the caller that stays where it is; on a device without
/// host memory they are mirrored, and the host's copies are current where a method says so. Lloyd's descents on a GPU are those of
/// <see cref="KMeansLockstep"/>.
/// </summary>
internal sealed unsafe partial class KMeansRun : IKMeansDescent, IDisposable
{
    private readonly KMeansOptions _options;
    private readonly KMeansMemory _memory;
    private readonly IProgress<KMeansProgress>? _progress;
    private readonly CancellationToken _cancellation;
    private readonly long _started;
    private readonly KMeansData _data;
    private readonly Tensor _rows;
    private readonly Tensor? _scales;
    private ILabelSearch? _search;

    public KMeansRun(
        KMeansOptions options, KMeansMemory memory, KMeansData data, long started, IProgress<KMeansProgress>? progress, CancellationToken cancellation)
    {
        (_options, _memory, _started, _progress, _cancellation) = (options, memory, started, progress, cancellation);
        _data = data;
        _rows = memory.Input(data.Rows, new Shape(Rows, Dimension));
        _scales = data.Scales == null ? null : memory.Input(data.Scales, new Shape(Rows));
    }

    public int Rows => _data.Count;

    public int Dimension => _data.Dimension;

    public int Clusters => _options.Clusters;

    /// <summary>Whether the time limit has passed.</summary>
    public bool TimeIsUp => IsTimeUp(_options, _started);

    /// <summary>Whether the time limit of a call that began then has passed.</summary>
    public static bool IsTimeUp(KMeansOptions options, long started) => options.MaximumTime is { } limit && Stopwatch.GetElapsedTime(started) >= limit;

    /// <summary>Why a descent that has not converged ends after the last iteration so far; null where it goes on.</summary>
    public static KMeansStop? Ended(KMeansOptions options, List<double> inertia, bool timeIsUp)
    {
        if (options.Tolerance > 0 && inertia.Count > 1 && inertia[^2] - inertia[^1] <= options.Tolerance * Math.Abs(inertia[^2]))
        {
            return KMeansStop.Tolerance;
        }

        return timeIsUp ? KMeansStop.MaximumTime : null;
    }

    /// <summary>One start. Host copies of centroids, labels and distances are current afterwards, and belong together.</summary>
    /// <param name="restart">Which start: selects the random numbers.</param>
    /// <param name="given">Whether <paramref name="centroids"/> holds the first centroids.</param>
    /// <param name="centroids">[K, D].</param>
    /// <param name="labels">[N].</param>
    /// <param name="distances">[N], as <see cref="KMeansAssign"/> leaves them.</param>
    public KMeansOutcome Optimize(int restart, bool given, float* centroids, int* labels, float* distances)
    {
        var centroidTensor = _memory.Output(centroids, new Shape(Clusters, Dimension), ElementType.Float32);
        if (given)
        {
            _memory.Store(centroids, centroidTensor);
        }
        else
        {
            KMeansInit.Forward(
                _memory.Device, _rows, _scales, _options.Metric, _options.Initialization, _options.PlusPlusCandidates, _options.Seed, restart, centroidTensor, _cancellation);
        }

        var labelTensor = _memory.Output(labels, new Shape(Rows), ElementType.Int32);
        var distanceTensor = _memory.Output(distances, new Shape(Rows), ElementType.Float32);
        new Span<int>(labels, Rows).Fill(-1);
        _memory.Store(labels, labelTensor);
        if (_options is { MaximumIterations: > 0, Algorithm: KMeansAlgorithm.Lloyd } && _memory.Device is CpuDevice cpu)
        {
            _search ??= FewClusters.Create(cpu, _data, _options.Metric, Clusters) ?? (ILabelSearch)new ManyClusters(cpu, _data, _options.Metric, Clusters);
        }

        var outcome = _options.Algorithm switch
        {
            KMeansAlgorithm.MiniBatch => MiniBatches(restart, centroids, centroidTensor),
            KMeansAlgorithm.Lloyd when _search is not null => HostLloyd((CpuDevice)_memory.Device, _search, restart, centroids, centroidTensor, labels, labelTensor, distances),
            KMeansAlgorithm.Bounded => BoundedLloyd((CpuDevice)_memory.Device, restart, centroids, centroidTensor, labels, labelTensor, distances),
            _ => new KMeansOutcome([], KMeansStop.MaximumIterations),
        };
        if (outcome.Stop != KMeansStop.Converged)
        {
            outcome.Inertia = _search is not null
                ? HostLabel((CpuDevice)_memory.Device, _search, centroids, labels, distances)
                : KMeansAssign.Forward(
                    _memory.Device, _rows, _scales, centroidTensor, _options.Metric, labelTensor, distanceTensor, _cancellation).Objective;
        }

        _memory.Fetch(centroidTensor, centroids);
        _memory.Fetch(labelTensor, labels);
        _memory.Fetch(distanceTensor, distances);
        return outcome;
    }

    void IKMeansDescent.Label(float* centroids, int* labels, float* distances) => Label(centroids, labels, distances);

    /// <summary>Labels the rows by the centroids; host copies of labels and distances are current afterwards.</summary>
    public double Label(float* centroids, int* labels, float* distances)
    {
        var centroidTensor = _memory.Input(centroids, new Shape(Clusters, Dimension));
        var labelTensor = _memory.Output(labels, new Shape(Rows), ElementType.Int32);
        var distanceTensor = _memory.Output(distances, new Shape(Rows), ElementType.Float32);
        _memory.Store(labels, labelTensor);
        var assigned = KMeansAssign.Forward(
            _memory.Device, _rows, _scales, centroidTensor, _options.Metric, labelTensor, distanceTensor, _cancellation);
        _memory.Fetch(labelTensor, labels);
        _memory.Fetch(distanceTensor, distances);
        return assigned.Objective;
    }

    public void Dispose() => _search?.Dispose();

    private KMeansOutcome BoundedLloyd(
        CpuDevice cpu, int restart, float* centroids, Tensor centroidTensor, int* labels, Tensor labelTensor, float* distances)
    {
        var counts = new int[Clusters];
        var inertia = new List<double>();
        var bounds = new KMeansBounds(_data, _options);
        fixed (int* hostCounts = counts)
        {
            var countTensor = _memory.Output(hostCounts, new Shape(Clusters), ElementType.Int32);
            var stop = KMeansStop.MaximumIterations;
            for (int iteration = 1; iteration <= _options.MaximumIterations; iteration++)
            {
                var assigned = bounds.Assign(cpu, centroids, labels, distances, _cancellation);
                inertia.Add(assigned.Objective);
                if (assigned.Changed == 0 && !(_options.EmptyClusters == EmptyClusterPolicy.Split && counts.Contains(0)))
                {
                    Report(restart, iteration, assigned, counts);
                    return new KMeansOutcome(inertia, KMeansStop.Converged) { Inertia = assigned.Objective };
                }

                KMeansUpdate.Forward(cpu, _rows, _scales, labelTensor, _options.Metric, centroidTensor, countTensor);
                Report(restart, iteration, assigned, counts);
                if (_options.EmptyClusters != EmptyClusterPolicy.Keep && counts.Contains(0))
                {
                    Refill(restart, iteration, centroids, centroidTensor, distances, counts);
                }

                if (Ended(inertia) is { } reason)
                {
                    stop = reason;
                    break;
                }
            }

            return new KMeansOutcome(inertia, stop);
        }
    }

    private void Refill(int restart, int iteration, float* centroids, Tensor centroidTensor, float* distances, int[] counts)
    {
        _memory.Fetch(centroidTensor, centroids);
        EmptyClusters.Refill(_options, restart, iteration, _data, distances, counts, centroids);
        _memory.Store(centroids, centroidTensor);
    }

    private KMeansStop? Ended(List<double> inertia) => Ended(_options, inertia, TimeIsUp);

    private void Report(int restart, int iteration, KMeansAssignment assigned, int[] counts) =>
        _progress?.Report(new KMeansProgress(
            restart, iteration, assigned.Objective, assigned.Changed, counts.Count(c => c == 0), Stopwatch.GetElapsedTime(_started)));
}
