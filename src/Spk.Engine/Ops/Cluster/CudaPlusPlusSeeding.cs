using System.Runtime.InteropServices;
using Spk.Engine.Clustering;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Cluster;

/// <summary>
/// k-means++ on a GPU, of one problem or of several: every step is three launches for all of them, and the host waits for the last. A random number is a
/// function of the problem's seed, the start and which draw it is for, so that what is chosen does not depend on the other problems.
/// </summary>
internal sealed unsafe class CudaPlusPlusSeeding
{
    private const string Source = "cluster/k_means_init";
    private const int Threads = 256, WordsOfDouble = 2, WordsOfDraw = 2, Chunk = SeedingDistanceBody.ChunkRows;

    private static readonly KernelId PrepareKernel = new(Source, "k_means_init_prepare");
    private static readonly KernelId DrawKernel = new(Source, "k_means_init_draw");
    private static readonly KernelId TryKernel = new(Source, "k_means_init_try");
    private static readonly KernelId TakeKernel = new(Source, "k_means_init_take");

    private readonly CudaDevice _cuda;
    private readonly CudaProblems _problems;
    private readonly Tensor _rows, _weights, _inverse, _nearest, _sums;
    private readonly int[]? _hostList;
    private readonly Tensor? _list;
    private readonly int _chunks, _cosine;

    /// <summary>Finds the weights of the rows of all problems at work.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="problems">Which they are.</param>
    /// <param name="rows">f32 [rows of all problems, D].</param>
    /// <param name="scales">f32 [rows of all problems], or null.</param>
    /// <param name="metric">Euclidean or cosine.</param>
    public CudaPlusPlusSeeding(CudaDevice cuda, CudaProblems problems, Tensor rows, Tensor? scales, ClusterMetric metric)
        : this(cuda, problems, rows, scales, metric, null)
    {
    }

    /// <summary>The same for some rows of one problem.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="rows">f32 [N, D].</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="subset">Which rows may be chosen, with their weights.</param>
    public CudaPlusPlusSeeding(CudaDevice cuda, Tensor rows, ClusterMetric metric, (int[] Rows, double[] Weights) subset)
        : this(cuda, new CudaProblems(subset.Rows.Length), rows, null, metric, subset)
    {
    }

    private CudaPlusPlusSeeding(
        CudaDevice cuda, CudaProblems problems, Tensor rows, Tensor? scales, ClusterMetric metric, (int[] Rows, double[] Weights)? subset)
    {
        (_cuda, _problems, _rows) = (cuda, problems, rows);
        _chunks = (problems.MostRows + Chunk - 1) / Chunk;
        _cosine = metric == ClusterMetric.Cosine ? 1 : 0;
        var workspace = cuda.Workspace;
        _weights = workspace.Rent(new Shape(problems.Rows));
        _inverse = workspace.Rent(new Shape(problems.Rows));
        _nearest = workspace.Rent(new Shape(problems.Rows));
        _sums = workspace.Rent(new Shape(problems.Count, _chunks * WordsOfDouble));
        nint given = 0;
        if (subset is { } some)
        {
            _hostList = some.Rows;
            _list = cuda.RentCopy<int>(some.Rows);
            given = workspace.Rent(new Shape(problems.Rows, WordsOfDouble)).Address;
            fixed (double* host = some.Weights)
            {
                cuda.Upload(given, host, (long)problems.Rows * sizeof(double));
            }
        }

        var view = problems.View;
        cuda.Launch(
            PrepareKernel, problems.Shape(_chunks, Threads), KernelArgument.Structure(&view), rows.Address, rows.RowStride, _list?.Address ?? 0, rows.Shape[1],
            scales?.Address ?? 0, given, _cosine, _weights.Address, _inverse.Address, _nearest.Address, _sums.Address);
    }

    /// <summary>Weight of every row, and under cosine 1 / length, 0 for a row of zeros.</summary>
    public (float[] Weights, float[] Inverse) WeightsAndInverse()
    {
        float[] weights = new float[_problems.Rows], inverse = _cosine == 0 ? [] : new float[_problems.Rows];
        _weights.CopyTo(weights);
        if (_cosine != 0)
        {
            _inverse.CopyTo(inverse);
        }

        return (weights, Array.ConvertAll(inverse, v => float.IsFinite(v) ? v : 0f));
    }

    /// <summary>Chooses distinct rows.</summary>
    /// <param name="clusters">How many of each problem, which has as many of weight above 0.</param>
    /// <param name="candidates">Draws a step.</param>
    /// <param name="seeds">Of each problem.</param>
    /// <param name="start">Which start.</param>
    /// <param name="cancellation">Looked at before each step is queued; what is queued is done.</param>
    /// <returns>Of each problem at work the row numbers, in the order chosen.</returns>
    public int[][] Run(int clusters, int candidates, ReadOnlySpan<ulong> seeds, int start, CancellationToken cancellation)
    {
        var workspace = _cuda.Workspace;
        var seedWords = _cuda.RentCopy(MemoryMarshal.Cast<ulong, int>(seeds));
        var trial = workspace.Rent(new Shape(candidates, _problems.Rows));
        var potentials = workspace.Rent(new Shape(_problems.Count, candidates, _chunks * WordsOfDouble));
        var drawn = workspace.Rent(new Shape(_problems.Count, candidates), ElementType.Int32);
        var taken = workspace.Rent(new Shape(_problems.Count), ElementType.Int32);
        var chosen = workspace.Rent(new Shape(_problems.Count, clusters), ElementType.Int32);
        var view = _problems.View;
        var who = KernelArgument.Structure(&view);
        for (int step = 0; step <= clusters; step++)
        {
            cancellation.ThrowIfCancellationRequested();
            _cuda.Launch(
                DrawKernel, _problems.Shape(1, Threads), who, step, clusters, candidates, seedWords.Address, start, (int)KMeansStreams.Initialization,
                (int)RandomPurpose.Clustering, _chunks, _problems.Rows, _sums.Address, _weights.Address, _nearest.Address, trial.Address, potentials.Address,
                drawn.Address, taken.Address, chosen.Address);
            if (step == clusters)
            {
                break;
            }

            if (step > 0)
            {
                _cuda.Launch(TakeKernel, _problems.Shape(_chunks, Threads), who, _problems.Rows, taken.Address, trial.Address, _nearest.Address);
            }

            _cuda.Launch(
                TryKernel, _problems.Shape(_chunks, Threads, step == 0 ? 1 : candidates), who, _rows.Address, _rows.RowStride, _list?.Address ?? 0,
                _rows.Shape[1], _cosine, step, candidates, _problems.Rows, drawn.Address, _weights.Address, _inverse.Address, _nearest.Address, trial.Address,
                potentials.Address);
        }

        int[] positions = new int[chosen.Count];
        chosen.CopyIntsTo(positions);
        int[][] rows = new int[_problems.Count][];
        foreach (int problem in _problems.AtWork)
        {
            rows[problem] = Rows(problem, positions.AsSpan(problem * clusters, clusters), candidates, seeds[problem], start);
        }

        return rows;
    }

    // The rows at positions, of which those from the first −1 on are copies of the others.
    private int[] Rows(int problem, ReadOnlySpan<int> positions, int candidates, ulong seed, int start)
    {
        int[] rows = new int[positions.Length];
        int done = positions.IndexOf(-1);
        for (int k = 0; k < (done < 0 ? rows.Length : done); k++)
        {
            rows[k] = _hostList is null ? positions[k] : _hostList[positions[k]];
        }

        if (done >= 0)
        {
            var tensor = _problems.Of(problem, _weights);
            var weights = new HostWeights(new float[tensor.Count]);
            tensor.CopyTo(weights.Values);
            var random = new CounterRandom(seed, RandomPurpose.Clustering, KMeansStreams.Initialization, start);
            for (long used = done == 0 ? 0 : 1 + ((done - 1L) * candidates); used > 0; used--)
            {
                for (int word = 0; word < WordsOfDraw; word++)
                {
                    _ = random.NextWord();
                }
            }

            SeedingDraw.Fill(ref weights, _hostList, rows, done, ref random);
        }

        return rows;
    }

    private readonly struct HostWeights(float[] values) : ISeedingWeights
    {
        public float[] Values => values;

        public int Count => values.Length;

        public bool HasWeight(int position) => values[position] > 0;
    }
}
