using System.Diagnostics;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>
/// Optimises centroids on one device. All pointers are to host memory of the caller that stays where it is; on a device without
/// host memory they are mirrored, and the host's copies are current where a method says so.
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
    public bool TimeIsUp => _options.MaximumTime is { } limit && Stopwatch.GetElapsedTime(_started) >= limit;

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
            _ => Lloyd(restart, centroids, centroidTensor, labels, labelTensor, distances, distanceTensor),
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

    private KMeansOutcome Lloyd(
        int restart, float* centroids, Tensor centroidTensor, int* labels, Tensor labelTensor, float* distances, Tensor distanceTensor)
    {
        var counts = new int[Clusters];
        var inertia = new List<double>();

        // Bounds change the speed only; where there is no implementation, all rows are compared.
        var bounds = _options.Algorithm == KMeansAlgorithm.Bounded && _memory.Device is CpuDevice ? new KMeansBounds(_data, _options) : null;
        fixed (int* hostCounts = counts)
        {
            var countTensor = _memory.Output(hostCounts, new Shape(Clusters), ElementType.Int32);
            var stop = KMeansStop.MaximumIterations;
            for (int iteration = 1; iteration <= _options.MaximumIterations; iteration++)
            {
                var assigned = bounds is null
                    ? KMeansAssign.Forward(_memory.Device, _rows, _scales, centroidTensor, _options.Metric, labelTensor, distanceTensor, _cancellation)
                    : bounds.Assign((CpuDevice)_memory.Device, centroids, labels, distances, _cancellation);
                inertia.Add(assigned.Objective);
                if (assigned.Changed == 0 && !(_options.EmptyClusters == EmptyClusterPolicy.Split && counts.Contains(0)))
                {
                    Report(restart, iteration, assigned, counts);
                    return new KMeansOutcome(inertia, KMeansStop.Converged) { Inertia = assigned.Objective };
                }

                KMeansUpdate.Forward(_memory.Device, _rows, _scales, labelTensor, _options.Metric, centroidTensor, countTensor);
                _memory.Fetch(countTensor, hostCounts);
                Report(restart, iteration, assigned, counts);
                if (_options.EmptyClusters != EmptyClusterPolicy.Keep && counts.Contains(0))
                {
                    _memory.Fetch(distanceTensor, distances);
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
        if (_options.EmptyClusters == EmptyClusterPolicy.Farthest)
        {
            EmptyClusters.MoveToFarthest(_data, _options.Metric, distances, counts, centroids);
        }
        else
        {
            // A copy: the caller's counts are still compared with the labels.
            EmptyClusters.Split(_options, restart, iteration, (int[])counts.Clone(), centroids, Dimension);
        }

        _memory.Store(centroids, centroidTensor);
    }

    private KMeansStop? Ended(List<double> inertia)
    {
        if (_options.Tolerance > 0 && inertia.Count > 1 && inertia[^2] - inertia[^1] <= _options.Tolerance * Math.Abs(inertia[^2]))
        {
            return KMeansStop.Tolerance;
        }

        return TimeIsUp ? KMeansStop.MaximumTime : null;
    }

    private void Report(int restart, int iteration, KMeansAssignment assigned, int[] counts) =>
        _progress?.Report(new KMeansProgress(
            restart, iteration, assigned.Objective, assigned.Changed, counts.Count(c => c == 0), Stopwatch.GetElapsedTime(_started)));
}
