using System.Diagnostics;
using System.Runtime.InteropServices;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Cluster;
using Spk.Engine.Tensors;

namespace Spk.Engine.Clustering;

/// <summary>
/// Lloyd's descents on a GPU, of one problem or of several with as many columns and clusters: every step of an iteration is one launch for all that
/// still descend, after which the host waits once. What comes of a problem does not depend on the others.
/// </summary>
/// <remarks>
/// An iteration updates the centroids before the host knows whether labels changed. Where none did, the means are those of the same rows in the same
/// order, so that centroids keep their bits.
/// </remarks>
internal sealed unsafe class KMeansLockstep
{
    // An answer: the objective and the number of changed labels of each problem, in f64, then the counts of their clusters.
    private const int WordsOfTotal = 4;

    private readonly CudaDevice _cuda;
    private readonly IReadOnlyList<KMeansDescent> _descents;
    private readonly KMeansOptions _options;
    private readonly long _started;
    private readonly IProgress<KMeansProgress>? _progress;
    private readonly CancellationToken _cancellation;
    private readonly CudaProblems _problems;
    private readonly Tensor _rows, _centroids, _labels, _distances, _answer;
    private readonly Tensor? _scales;
    private readonly Tensor[] _centroidsOf, _labelsOf, _distancesOf;
    private readonly ulong[] _seeds;
    private readonly nint _rounded;
    private readonly int[] _hostAnswer;

    private KMeansLockstep(
        CudaDevice cuda, IReadOnlyList<KMeansDescent> descents, long started, IProgress<KMeansProgress>? progress, CancellationToken cancellation)
    {
        (_cuda, _descents, _options, _started, _progress, _cancellation) = (cuda, descents, descents[0].Options, started, progress, cancellation);
        int[] counts = [.. descents.Select(one => one.Data.Count)];
        _problems = counts.Length == 1 ? new CudaProblems(counts[0]) : new CudaProblems(cuda, counts);
        int dimension = descents[0].Data.Dimension, rows = _problems.Rows, clusters = _options.Clusters;
        var workspace = cuda.Workspace;
        _rows = workspace.Rent(new Shape(rows, dimension));
        _scales = descents[0].Data.Scales == null ? null : workspace.Rent(new Shape(rows));
        _centroids = workspace.Rent(new Shape(counts.Length * clusters, dimension));
        _labels = workspace.Rent(new Shape(rows), ElementType.Int32);
        _distances = workspace.Rent(new Shape(rows));
        _hostAnswer = new int[counts.Length * (WordsOfTotal + clusters)];
        _answer = workspace.Rent(new Shape(_hostAnswer.Length), ElementType.Int32);
        _seeds = [.. descents.Select(one => one.Options.Seed)];
        _labelsOf = [.. counts.Select((_, p) => _problems.Of(p, _labels))];
        _distancesOf = [.. counts.Select((_, p) => _problems.Of(p, _distances))];
        _centroidsOf = [.. counts.Select((_, p) => _centroids.Slice(p * clusters, clusters))];
        for (int p = 0; p < counts.Length; p++)
        {
            cuda.CopyRowsFromHost(descents[p].Data.Rows, _problems.Of(p, _rows));
            if (_scales is not null)
            {
                cuda.CopyRowsFromHost(descents[p].Data.Scales, _problems.Of(p, _scales));
            }
        }

        _rounded = KMeansAssign.CudaRound(cuda, _problems, _rows, clusters);
    }

    private bool TimeIsUp => KMeansRun.IsTimeUp(_options, _started);

    /// <summary>Solves problems; the workspace is left as it was.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="descents">One or more, whose options differ in their seeds alone; all of them have scales, or none.</param>
    /// <param name="started">When the call began, for the time limit and the progress.</param>
    /// <param name="progress">Told of every iteration of every problem.</param>
    /// <param name="cancellation">Looked at before rows are labelled, which every iteration begins with.</param>
    public static KMeansResult[] Fit(
        CudaDevice cuda, IReadOnlyList<KMeansDescent> descents, long started, IProgress<KMeansProgress>? progress, CancellationToken cancellation)
    {
        var before = cuda.Workspace.Position;
        try
        {
            new KMeansLockstep(cuda, descents, started, progress, cancellation).Run();
            return [.. descents.Select(one => one.Result())];
        }
        finally
        {
            cuda.Workspace.Advance(before);
        }
    }

    private void Run()
    {
        int latest = 0;
        for (int restart = 0; restart < _options.Restarts && (restart == 0 || !TimeIsUp); restart++)
        {
            latest = restart;
            Begin(restart);
            Descend(restart);
            for (int p = 0; p < _descents.Count; p++)
            {
                if (_descents[p].Improves(restart))
                {
                    Fetch(_centroidsOf[p], _descents[p].Centroids);
                }
            }
        }

        int[] earlier = [.. Numbers(one => one.Winner != latest)];
        foreach (int p in earlier)
        {
            Store(_descents[p].Centroids, _centroidsOf[p]);
        }

        Label(earlier);
        for (int p = 0; p < _descents.Count; p++)
        {
            Fetch(_labelsOf[p], _descents[p].Labels);
            Fetch(_distancesOf[p], _descents[p].Distances);
        }
    }

    // First centroids: those given, and those of the rest together.
    private void Begin(int restart)
    {
        for (int p = 0; p < _descents.Count; p++)
        {
            _descents[p].Begin();
            if (_descents[p].IsGiven)
            {
                Store(_descents[p].Centroids, _centroidsOf[p]);
            }
        }

        int[] own = [.. Numbers(one => !one.IsGiven)];
        if (own.Length > 0)
        {
            _problems.Activate(own);
            KMeansInit.CudaForward(
                _cuda, _problems, _rows, _scales, _options.Metric, _options.Initialization, _options.PlusPlusCandidates, _seeds, restart, _centroids,
                _cancellation);
        }

        // No row has a label that it could keep.
        _cuda.Fill(_labels.Address, byte.MaxValue, (long)_labels.Count * sizeof(int));
    }

    private void Descend(int restart)
    {
        int[] active = [.. Numbers(_ => true)];
        _problems.Activate(active);
        for (int iteration = 1; iteration <= _options.MaximumIterations && active.Length > 0; iteration++)
        {
            Assign();
            KMeansUpdate.CudaForward(
                _cuda, _problems, _rows, _scales, _labels, _options.Metric, _centroids, _answer.Address + ((nint)_descents.Count * WordsOfTotal * sizeof(int)));
            Fetch(_answer, _hostAnswer);
            foreach (int p in active)
            {
                Step(p, restart, iteration);
            }

            if (Array.Exists(active, p => _descents[p].Outcome is not null))
            {
                active = Array.FindAll(active, p => _descents[p].Outcome is null);
                _problems.Activate(active);
            }
        }

        // Those that have not converged have centroids that are newer than their labels.
        foreach (int p in active)
        {
            _descents[p].Outcome = new KMeansOutcome(_descents[p].Inertia, KMeansStop.MaximumIterations);
        }

        int[] stale = [.. Numbers(one => one.Outcome!.Stop != KMeansStop.Converged)];
        Label(stale);
        foreach (int p in stale)
        {
            _descents[p].Outcome!.Inertia = Total(p).Objective;
        }
    }

    // What an iteration means for a problem.
    private void Step(int problem, int restart, int iteration)
    {
        var one = _descents[problem];
        var assigned = Total(problem);
        one.Inertia.Add(assigned.Objective);
        bool splits = _options.EmptyClusters == EmptyClusterPolicy.Split && one.Counts.Contains(0);
        _hostAnswer.AsSpan((_descents.Count * WordsOfTotal) + (problem * _options.Clusters), _options.Clusters).CopyTo(one.Counts);
        _progress?.Report(new KMeansProgress(
            restart, iteration, assigned.Objective, assigned.Changed, one.Counts.Count(c => c == 0), Stopwatch.GetElapsedTime(_started)));
        if (assigned.Changed == 0 && !splits)
        {
            one.Outcome = new KMeansOutcome(one.Inertia, KMeansStop.Converged) { Inertia = assigned.Objective };
            return;
        }

        if (_options.EmptyClusters != EmptyClusterPolicy.Keep && one.Counts.Contains(0))
        {
            Refill(problem, restart, iteration);
        }

        if (KMeansRun.Ended(_options, one.Inertia, TimeIsUp) is { } reason)
        {
            one.Outcome = new KMeansOutcome(one.Inertia, reason);
        }
    }

    private void Refill(int problem, int restart, int iteration)
    {
        var one = _descents[problem];
        float[] present = one.Best is null ? one.Centroids : new float[one.Centroids.Length];
        Fetch(_centroidsOf[problem], present);
        Fetch(_distancesOf[problem], one.Distances);
        fixed (float* centroids = present, distances = one.Distances)
        {
            EmptyClusters.Refill(one.Options, restart, iteration, one.Data, distances, one.Counts, centroids);
        }

        Store(present, _centroidsOf[problem]);
    }

    // Labels and totals of some problems, by their centroids as they are.
    private void Label(int[] problems)
    {
        if (problems.Length > 0)
        {
            _problems.Activate(problems);
            Assign();
            Fetch(_answer, _hostAnswer);
        }
    }

    private void Assign()
    {
        _cancellation.ThrowIfCancellationRequested();
        KMeansAssign.CudaForward(
            _cuda, _problems, _rows, _rounded, _scales, _centroids, _options.Metric, _labels, _distances, _answer.Address);
    }

    private KMeansAssignment Total(int problem)
    {
        var totals = MemoryMarshal.Cast<int, double>(_hostAnswer.AsSpan(problem * WordsOfTotal, WordsOfTotal));
        return new KMeansAssignment(totals[0], (int)totals[1]);
    }

    private IEnumerable<int> Numbers(Predicate<KMeansDescent> which) => Enumerable.Range(0, _descents.Count).Where(p => which(_descents[p]));

    private void Fetch<T>(Tensor tensor, T[] host) where T : unmanaged
    {
        fixed (T* first = host)
        {
            _cuda.CopyRowsToHost(tensor, first);
        }
    }

    private void Store(float[] host, Tensor tensor)
    {
        fixed (float* first = host)
        {
            _cuda.CopyRowsFromHost(first, tensor);
        }
    }
}
