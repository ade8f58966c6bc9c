using System.Diagnostics;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>
/// Lloyd on rows of several processes: each labels its own; sums, counts and the objective are added up, and every process makes the same centroids of
/// them. All pointers are to host memory that stays where it is.
/// </summary>
internal sealed unsafe class SharedKMeans : IKMeansDescent
{
    private readonly CpuDevice _cpu;
    private readonly SharedRows _shared;
    private readonly KMeansOptions _options;
    private readonly KMeansMemory _memory;
    private readonly IProgress<KMeansProgress>? _progress;
    private readonly CancellationToken _cancellation;
    private readonly long _started;
    private readonly Tensor _rows;
    private readonly Tensor? _scales;
    private readonly double[] _sums, _totals;
    private readonly int[] _ownCounts, _counts;

    public SharedKMeans(
        CpuDevice cpu, SharedRows shared, KMeansOptions options, long started, IProgress<KMeansProgress>? progress, CancellationToken cancellation)
    {
        (_cpu, _shared, _options, _started, _progress, _cancellation) = (cpu, shared, options, started, progress, cancellation);
        _memory = new KMeansMemory(cpu);
        _rows = _memory.Input(shared.Own.Rows, new Shape(shared.Own.Count, Dimension));
        _scales = shared.Own.Scales == null ? null : _memory.Input(shared.Own.Scales, new Shape(shared.Own.Count));
        _sums = new double[(long)options.Clusters * (Dimension + 1)];
        _totals = new double[options.Clusters];
        _ownCounts = new int[options.Clusters];
        _counts = new int[options.Clusters];
    }

    public int Dimension => _shared.Own.Dimension;

    /// <summary>Whether the time limit had passed for any process when they last spoke.</summary>
    public bool TimeIsUp { get; private set; }

    /// <summary>One start. Labels and distances of the own rows belong to the centroids afterwards.</summary>
    /// <param name="restart">Which start: selects the random numbers.</param>
    /// <param name="given">Whether <paramref name="centroids"/> holds the first centroids.</param>
    /// <param name="centroids">[K, D], the same on all processes.</param>
    /// <param name="labels">[own rows].</param>
    /// <param name="distances">[own rows], as <see cref="KMeansAssign"/> leaves them.</param>
    public KMeansOutcome Optimize(int restart, bool given, float* centroids, int* labels, float* distances)
    {
        if (!given)
        {
            new SharedSeeding(_cpu, _shared, _options, _cancellation).Run(restart, centroids);
        }

        Array.Clear(_counts);
        new Span<int>(labels, _shared.Own.Count).Fill(-1);
        var inertia = new List<double>();
        for (int iteration = 1; iteration <= _options.MaximumIterations; iteration++)
        {
            var (objective, changed) = Assign(centroids, labels, distances);
            inertia.Add(objective);
            if (changed == 0 && !(_options.EmptyClusters == EmptyClusterPolicy.Split && _counts.Contains(0)))
            {
                Report(restart, iteration, objective, changed);
                return new KMeansOutcome(inertia, KMeansStop.Converged) { Inertia = objective };
            }

            Update(centroids, labels);
            Report(restart, iteration, objective, changed);
            if (_options.EmptyClusters != EmptyClusterPolicy.Keep && _counts.Contains(0))
            {
                Refill(restart, iteration, centroids, distances);
            }

            bool settled = _options.Tolerance > 0 && inertia.Count > 1 && inertia[^2] - inertia[^1] <= _options.Tolerance * Math.Abs(inertia[^2]);
            if (settled || TimeIsUp)
            {
                return Finish(settled ? KMeansStop.Tolerance : KMeansStop.MaximumTime);
            }
        }

        return Finish(KMeansStop.MaximumIterations);

        KMeansOutcome Finish(KMeansStop stop) => new(inertia, stop) { Inertia = Assign(centroids, labels, distances).Objective };
    }

    /// <summary>Labels the own rows by the centroids.</summary>
    public void Label(float* centroids, int* labels, float* distances) => Assign(centroids, labels, distances);

    /// <summary>Gives back what was rented.</summary>
    public void Release() => _memory.Release();

    private (double Objective, long Changed) Assign(float* centroids, int* labels, float* distances)
    {
        // No process may leave ahead of the others: they learn together that one was asked to stop.
        var own = _shared.Own.Count == 0 ? default : KMeansAssign.Forward(
            _cpu, _rows, _scales, _memory.Input(centroids, new Shape(_options.Clusters, Dimension)), _options.Metric,
            _memory.Output(labels, new Shape(_shared.Own.Count), ElementType.Int32),
            _memory.Output(distances, new Shape(_shared.Own.Count), ElementType.Float32));
        bool late = _options.MaximumTime is { } limit && Stopwatch.GetElapsedTime(_started) >= limit;
        Span<double> all = [own.Objective, own.Changed, late ? 1 : 0, _cancellation.IsCancellationRequested ? 1 : 0];
        _shared.Add(all);
        if (all[3] > 0)
        {
            throw new OperationCanceledException(_cancellation);
        }

        TimeIsUp = all[2] > 0;
        return (all[0], (long)all[1]);
    }

    private void Update(float* centroids, int* labels)
    {
        fixed (double* sums = _sums)
        {
            if (_shared.Own.Count > 0)
            {
                fixed (int* counts = _ownCounts)
                {
                    KMeansUpdate.Sum(_cpu, _rows, _scales, labels, _options.Clusters, sums, counts);
                }
            }
            else
            {
                Array.Clear(_sums);
            }

            for (int k = 0; k < _totals.Length; k++)
            {
                _totals[k] = _ownCounts[k];
            }

            _shared.Add(_sums);
            _shared.Add(_totals);
            for (int k = 0; k < _counts.Length; k++)
            {
                _counts[k] = (int)_totals[k];
                if (_counts[k] > 0)
                {
                    KMeansUpdate.WriteCentroid(sums + ((nint)k * (Dimension + 1)), Dimension, _options.Metric, centroids + ((nint)k * Dimension));
                }
            }
        }
    }

    private void Refill(int restart, int iteration, float* centroids, float* distances)
    {
        if (_options.EmptyClusters == EmptyClusterPolicy.Split)
        {
            // A copy: the counts are still compared with the labels.
            EmptyClusters.Split(_options, restart, iteration, (int[])_counts.Clone(), centroids, Dimension);
            return;
        }

        int empty = _counts.Count(c => c == 0), limit = EmptyClusters.FirstLimit(empty, _shared.Total);
        while (!MoveToFarthest(empty, limit, centroids, distances) && limit < _shared.Total)
        {
            limit = EmptyClusters.NextLimit(limit, _shared.Total);
        }
    }

    // The farthest rows of all are among the farthest of each. Returns whether enough of them were different rows.
    private bool MoveToFarthest(int empty, int limit, float* centroids, float* distances)
    {
        var own = EmptyClusters.Farthest(_shared.Own, _options.Metric, distances, limit);
        double[] mine = new double[2 * limit], all = new double[mine.Length * _shared.Processes.Ranks];
        Array.Fill(mine, double.PositiveInfinity);
        for (int i = 0; i < own.Count; i++)
        {
            (mine[2 * i], mine[(2 * i) + 1]) = (own[i].Nearness, _shared.First + own[i].Row);
        }

        _shared.Processes.Exchange<double>(mine, all);
        (double Nearness, int Row)[] farthest =
        [
            .. Enumerable.Range(0, all.Length / 2).Where(i => double.IsFinite(all[2 * i])).Select(i => (all[2 * i], (int)all[(2 * i) + 1])).Order().Take(limit),
        ];
        float[] values = new float[(long)farthest.Length * Dimension];
        _shared.Read(Array.ConvertAll(farthest, f => f.Row), values);
        fixed (float* rows = values)
        {
            var data = new KMeansData { Rows = rows, Count = farthest.Length, Dimension = Dimension };
            bool enough = EmptyClusters.Choose(data, [.. farthest.Select((f, i) => (i, f.Nearness))], empty, out var chosen);
            int next = 0;
            for (int k = 0; k < _counts.Length && next < chosen.Count && (enough || limit == _shared.Total); k++)
            {
                if (_counts[k] == 0)
                {
                    EmptyClusters.WriteRow(data.Row(chosen[next++]), Dimension, _options.Metric, centroids + ((nint)k * Dimension));
                }
            }

            return enough;
        }
    }

    private void Report(int restart, int iteration, double objective, long changed) => _progress?.Report(new KMeansProgress(
        restart, iteration, objective, (int)changed, _counts.Count(c => c == 0), Stopwatch.GetElapsedTime(_started)));
}
