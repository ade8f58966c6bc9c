using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>First centroids from rows of several processes: the rows that one process with all of them would choose.</summary>
internal sealed unsafe class SharedSeeding(CpuDevice cpu, SharedRows rows, KMeansOptions options, CancellationToken cancellation)
{
    /// <summary>Chooses rows.</summary>
    /// <param name="restart">Which start.</param>
    /// <param name="centroids">[K, D], receives them; under cosine at unit length.</param>
    public void Run(int restart, float* centroids)
    {
        int[] chosen = options.Initialization == KMeansInitialization.RandomRows ? RandomRows(restart) : PlusPlus(restart);
        var values = new Span<float>(centroids, options.Clusters * rows.Own.Dimension);
        rows.Read(chosen, values);
        for (int k = 0; k < options.Clusters; k++)
        {
            float* centroid = centroids + ((nint)k * rows.Own.Dimension);
            EmptyClusters.WriteRow(centroid, rows.Own.Dimension, options.Metric, centroid);
        }
    }

    // The same places among the rows that may be chosen as in one process; each process knows which of its rows these are.
    private int[] RandomRows(int restart)
    {
        List<int> usable = [];
        for (int i = 0; i < rows.Own.Count; i++)
        {
            if (rows.Own.Scales == null || rows.Own.Scales[i] > 0)
            {
                usable.Add(rows.First + i);
            }
        }

        int[] counts = new int[rows.Processes.Ranks];
        rows.Processes.Exchange<int>([usable.Count], counts);
        int[] places = KMeansInit.RandomRows(counts.Sum(), [], options.Clusters, options.Seed, restart);
        int before = counts.Take(rows.Processes.Rank).Sum();
        double[] chosen = new double[places.Length];
        for (int k = 0; k < places.Length; k++)
        {
            int own = places[k] - before;
            chosen[k] = own >= 0 && own < usable.Count ? usable[own] : 0;
        }

        rows.Add(chosen);
        return Array.ConvertAll(chosen, row => (int)row);
    }

    private int[] PlusPlus(int restart)
    {
        int draws = KMeansInit.Candidates(options.PlusPlusCandidates, options.Clusters), dimension = rows.Own.Dimension, count = rows.Own.Count;
        int chunks = (count + SeedingDistanceBody.ChunkRows - 1) / SeedingDistanceBody.ChunkRows;
        float[] drawn = new float[draws * dimension], inverse = new float[draws];
        float[] perRow = new float[(long)count * (draws + 3)];
        double[] perChunk = new double[chunks * (draws + 1)];
        float** drawnAt = stackalloc float*[draws];
        fixed (float* drawnRows = drawn, drawnInverse = inverse, floats = perRow)
        fixed (double* sums = perChunk)
        {
            for (int c = 0; c < draws; c++)
            {
                drawnAt[c] = drawnRows + ((nint)c * dimension);
            }

            var body = new SeedingDistanceBody
            {
                Source = new SeedingSource
                {
                    Rows = rows.Own.Rows,
                    RowStride = dimension,
                    Count = count,
                    Dimension = dimension,
                    Scales = rows.Own.Scales,
                    Metric = options.Metric,
                },
                Count = count,
                Drawn = drawnAt,
                DrawnInverse = drawnInverse,
                Sums = sums,
                Potentials = sums + chunks,
                Nearest = floats,
                Weights = floats + count,
                Inverse = floats + (2L * count),
                Trial = floats + (3L * count),
            };
            double[] usable = [PlusPlusSeeding.Prepare(body, null)];
            rows.Add(usable);
            KMeansInit.RequireRows((int)usable[0], options.Clusters);
            return Choose(body, chunks, draws, restart);
        }
    }

    private int[] Choose(SeedingDistanceBody body, int chunks, int candidates, int restart)
    {
        var random = new CounterRandom(options.Seed, RandomPurpose.Clustering, KMeansStreams.Initialization, restart);
        var chances = new Chances(rows, body, candidates);
        chances.Begin();
        int[] chosen = new int[options.Clusters], draws = new int[candidates];
        for (int k = 0; k < chosen.Length; k++)
        {
            body.IsFirst = k == 0;
            body.Draws = body.IsFirst ? 1 : candidates;
            for (int c = 0; c < body.Draws; c++)
            {
                draws[c] = SeedingDraw.Next(ref chances, ref random);
                if (draws[c] < 0)
                {
                    SeedingDraw.Fill(ref chances, null, chosen, k, ref random);
                    return chosen;
                }
            }

            rows.Read(draws.AsSpan(0, body.Draws), new Span<float>(body.Drawn[0], body.Draws * body.Source.Dimension));
            for (int c = 0; c < body.Draws; c++)
            {
                body.DrawnInverse[c] = options.Metric == ClusterMetric.Cosine ? (float)(1 / Math.Sqrt(RowMath.Dot(body.Drawn[c], body.Drawn[c], body.Source.Dimension))) : 1f;
            }

            cpu.Workers.For(chunks, ref body);
            int best = chances.Compare(body.Potentials, body.Draws, cancellation);
            chosen[k] = draws[best];
            var take = new SeedingTakeBody { Distances = body, Taken = best };
            cpu.Workers.For(chunks, ref take);
        }

        return chosen;
    }

    /// <summary>
    /// What the next row is drawn from, all of it: every process knows the sums of all chunks, and a chunk's rows are asked for where a draw falls into
    /// it. All processes draw the same numbers, and so ask for the same chunks.
    /// </summary>
    private struct Chances(SharedRows rows, SeedingDistanceBody own, int draws) : ISeedingChances
    {
        // In the place of the chance of a row that may not be chosen at all.
        private const double Never = -1;

        private const int ChunkRows = SeedingDistanceBody.ChunkRows;

        private readonly int _chunksEach = rows.Largest / ChunkRows;
        private readonly double[] _sums = new double[rows.Largest / ChunkRows * rows.Processes.Ranks];
        private readonly double[] _mine = new double[(rows.Largest / ChunkRows * draws) + 1];
        private readonly double[] _all = new double[((rows.Largest / ChunkRows * draws) + 1) * rows.Processes.Ranks];
        private readonly double[] _ownChunk = new double[ChunkRows], _chunks = new double[ChunkRows * rows.Processes.Ranks];
        private int _loaded = -1;

        public readonly int Count => rows.Total;

        private readonly int OwnChunks => (own.Count + ChunkRows - 1) / ChunkRows;

        /// <summary>Learns the sums before the first choice.</summary>
        public readonly void Begin()
        {
            double[] mine = new double[_chunksEach];
            new ReadOnlySpan<double>(own.Sums, OwnChunks).CopyTo(mine);
            rows.Processes.Exchange<double>(mine, _sums);
        }

        /// <summary>The draw that lowers the sum of all chances most, whose sums of chunks are those of the next step.</summary>
        public int Compare(double* potentials, int count, CancellationToken cancellation)
        {
            int length = (_chunksEach * count) + 1;
            var mine = _mine.AsSpan(0, length);
            mine.Clear();
            new ReadOnlySpan<double>(potentials, OwnChunks * count).CopyTo(mine);
            mine[^1] = cancellation.IsCancellationRequested ? 1 : 0;
            var all = _all.AsSpan(0, length * rows.Processes.Ranks);
            rows.Processes.Exchange<double>(mine, all);
            for (int rank = 0; rank < rows.Processes.Ranks; rank++)
            {
                if (all[((rank + 1) * length) - 1] != 0)
                {
                    throw new OperationCanceledException(cancellation);
                }

                // The last number of a process is no sum: those of the next close up.
                all.Slice(rank * length, length - 1).CopyTo(all[(rank * (length - 1))..]);
            }

            int best = SeedingDraw.Best(all, count, _sums.Length, 1, count);
            for (int chunk = 0; chunk < _sums.Length; chunk++)
            {
                _sums[chunk] = all[(chunk * count) + best];
            }

            _loaded = -1;
            return best;
        }

        public readonly double Sum(int chunk) => _sums[chunk];

        public double Chance(int position) => Math.Max(0, Load(position));

        public bool HasWeight(int position) => Load(position) != Never;

        private double Load(int position)
        {
            int chunk = position / ChunkRows, owner = rows.OwnerOf(position);
            if (chunk != _loaded)
            {
                int start = (chunk * ChunkRows) - rows.First;
                for (int i = 0; i < ChunkRows && owner == rows.Processes.Rank && start + i < own.Count; i++)
                {
                    _ownChunk[i] = own.Weights[start + i] > 0 ? own.Chance(start + i) : Never;
                }

                rows.Processes.Exchange<double>(_ownChunk, _chunks);
                _loaded = chunk;
            }

            return _chunks[(owner * ChunkRows) + (position % ChunkRows)];
        }
    }
}
