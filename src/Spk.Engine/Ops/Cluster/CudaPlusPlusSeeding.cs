using Spk.Engine.Clustering;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Numerics;
using Spk.Engine.Tensors;
using Spk.Interop.Cuda;

namespace Spk.Engine.Ops.Cluster;

/// <summary>
/// k-means++ on a GPU: every pass over the rows runs there, what is drawn is decided here from sums of chunks and the chances of the one
/// chunk that a draw falls into.
/// </summary>
internal sealed unsafe class CudaPlusPlusSeeding : ISeedingChances
{
    private const string Source = "cluster/k_means_init";
    private const int Threads = 256, WordsOfDouble = 2, Chunk = SeedingDistanceBody.ChunkRows;

    private static readonly KernelId PrepareKernel = new(Source, "k_means_init_prepare");
    private static readonly KernelId TryKernel = new(Source, "k_means_init_try");
    private static readonly KernelId TakeKernel = new(Source, "k_means_init_take");

    private readonly CudaDevice _cuda;
    private readonly Tensor _rows, _weights, _inverse, _nearest, _sums, _trial, _potentials, _drawn;
    private readonly Tensor? _list;
    private readonly int _chunks, _cosine;
    private readonly float[] _hostWeights;
    private readonly float[] _hostNearest = new float[Chunk];
    private readonly double[] _hostSums, _hostPotentials;
    private int _loadedChunk = -1;

    /// <summary>Prepares the chances.</summary>
    /// <param name="cuda">The device.</param>
    /// <param name="rows">f32 [N, D].</param>
    /// <param name="scales">f32 [N], or null.</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="subset">Which rows may be chosen, with their weights; null for all rows.</param>
    /// <param name="candidates">Draws a step.</param>
    public CudaPlusPlusSeeding(CudaDevice cuda, Tensor rows, Tensor? scales, ClusterMetric metric, (int[] Rows, double[] Weights)? subset, int candidates)
    {
        _cuda = cuda;
        _rows = rows;
        Count = subset?.Rows.Length ?? rows.Shape[0];
        _chunks = (Count + Chunk - 1) / Chunk;
        _cosine = metric == ClusterMetric.Cosine ? 1 : 0;
        var workspace = cuda.Workspace;
        _weights = workspace.Rent(new Shape(Count));
        _inverse = workspace.Rent(new Shape(Count));
        _nearest = workspace.Rent(new Shape(Count));
        _sums = workspace.Rent(new Shape(_chunks, WordsOfDouble));
        _trial = workspace.Rent(new Shape(candidates, Count));
        _potentials = workspace.Rent(new Shape(candidates, _chunks * WordsOfDouble));
        _drawn = workspace.Rent(new Shape(candidates), ElementType.Int32);
        _hostWeights = new float[Count];
        _hostSums = new double[_chunks];
        _hostPotentials = new double[candidates * _chunks];
        nint given = 0;
        if (subset is { } chosen)
        {
            _list = cuda.RentCopy<int>(chosen.Rows);
            var weights = workspace.Rent(new Shape(Count, WordsOfDouble));
            fixed (double* host = chosen.Weights)
            {
                cuda.Upload(weights.Address, host, (long)Count * sizeof(double));
            }

            given = weights.Address;
        }

        cuda.Launch(
            PrepareKernel, new LaunchShape(_chunks, Threads), rows.Address, rows.RowStride, _list?.Address ?? 0, Count, rows.Shape[1], scales?.Address ?? 0,
            given, _cosine, _weights.Address, _inverse.Address, _nearest.Address, _sums.Address);
        _weights.CopyTo(_hostWeights);
        FetchSums();
    }

    /// <inheritdoc/>
    public int Count { get; }

    /// <inheritdoc/>
    public double Sum(int chunk) => _hostSums[chunk];

    /// <inheritdoc/>
    public bool HasWeight(int position) => _hostWeights[position] > 0;

    /// <inheritdoc/>
    public double Chance(int position)
    {
        int chunk = position / Chunk;
        if (chunk != _loadedChunk)
        {
            fixed (float* host = _hostNearest)
            {
                _cuda.Download(host, _nearest.Address + ((nint)chunk * Chunk * sizeof(float)), Math.Min(Chunk, Count - (chunk * Chunk)) * sizeof(float));
            }

            _loadedChunk = chunk;
        }

        return (double)_hostWeights[position] * _hostNearest[position - (chunk * Chunk)];
    }

    /// <summary>Weight of every row, and under cosine 1 / length, 0 for a row of zeros.</summary>
    public (float[] Weights, float[] Inverse) WeightsAndInverse()
    {
        float[] inverse = _cosine == 0 ? [] : new float[Count];
        if (_cosine != 0)
        {
            _inverse.CopyTo(inverse);
        }

        return (_hostWeights, Array.ConvertAll(inverse, v => float.IsFinite(v) ? v : 0f));
    }

    /// <summary>Chooses distinct rows.</summary>
    /// <param name="list">Row numbers of the positions; null for the same.</param>
    /// <param name="clusters">How many.</param>
    /// <param name="candidates">Draws a step.</param>
    /// <param name="seed">Seed.</param>
    /// <param name="start">Which start.</param>
    /// <param name="cancellation">Looked at every step.</param>
    /// <returns>Row numbers, in the order chosen.</returns>
    public int[] Run(int[]? list, int clusters, int candidates, ulong seed, int start, CancellationToken cancellation)
    {
        KMeansInit.RequireRows(_hostWeights.Count(w => w > 0), clusters);
        var random = new CounterRandom(seed, RandomPurpose.Clustering, KMeansStreams.Initialization, start);
        int[] chosen = new int[clusters], draws = new int[candidates];
        var self = this;
        for (int k = 0; k < clusters; k++)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = k == 0 ? 1 : candidates;
            for (int c = 0; c < count; c++)
            {
                draws[c] = SeedingDraw.Next(ref self, ref random);
                if (draws[c] < 0)
                {
                    SeedingDraw.Fill(ref self, list, chosen, k, ref random);
                    return chosen;
                }
            }

            int best = Try(draws.AsSpan(0, count), isFirst: k == 0);
            chosen[k] = list is null ? draws[best] : list[draws[best]];
            Take(best);
        }

        return chosen;
    }

    private int Try(ReadOnlySpan<int> draws, bool isFirst)
    {
        fixed (int* host = draws)
        {
            _cuda.Upload(_drawn.Address, host, draws.Length * sizeof(int));
        }

        _cuda.Launch(
            TryKernel, new LaunchShape(_chunks, Threads, draws.Length), _rows.Address, _rows.RowStride, _list?.Address ?? 0, Count, _rows.Shape[1], _cosine,
            _drawn.Address, isFirst ? 1 : 0, _weights.Address, _inverse.Address, _nearest.Address, _trial.Address, _potentials.Address);
        if (draws.Length == 1)
        {
            return 0;
        }

        fixed (double* host = _hostPotentials)
        {
            _cuda.Download(host, _potentials.Address, (long)draws.Length * _chunks * sizeof(double));
        }

        return SeedingDraw.Best(_hostPotentials, draws.Length, _chunks, drawStride: _chunks, chunkStride: 1);
    }

    private void Take(int best)
    {
        _cuda.Launch(
            TakeKernel, new LaunchShape(_chunks, Threads), _trial.Address + ((nint)best * Count * sizeof(float)), Count, _weights.Address, _nearest.Address,
            _sums.Address);
        FetchSums();
    }

    private void FetchSums()
    {
        fixed (double* host = _hostSums)
        {
            _cuda.Download(host, _sums.Address, (long)_chunks * sizeof(double));
        }

        _loadedChunk = -1;
    }
}
