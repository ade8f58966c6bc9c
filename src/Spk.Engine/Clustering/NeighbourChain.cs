namespace Spk.Engine.Clustering;

/// <summary>
/// Follows nearest neighbours until two clusters are each other's nearest, merges them, and goes on from what is left of the chain:
/// at most 3N searches of O(N).
/// </summary>
internal sealed unsafe class NeighbourChain
{
    // Clusters a task looks at; with fewer than two tasks' worth, starting them costs more than it saves.
    private const int Block = 4096;

    private readonly CondensedDistances _distances;
    private readonly long[] _sizes;
    private readonly bool _ward;
    private readonly ParallelOptions _parallel;
    private readonly (int Index, float Distance)[] _nearest;
    private readonly List<int> _chain = [];
    private readonly int[] _active;
    private int _activeCount;
    private int _dead;

    /// <param name="distances">Of Ward squared; overwritten.</param>
    /// <param name="sizes">Points of each leaf.</param>
    /// <param name="ward">Ward's update, else that of average linkage.</param>
    /// <param name="parallel">Threads and cancellation.</param>
    public NeighbourChain(CondensedDistances distances, long[] sizes, bool ward, ParallelOptions parallel)
    {
        _distances = distances;
        _sizes = [.. sizes];
        _ward = ward;
        _parallel = parallel;
        _nearest = new (int, float)[(sizes.Length + Block - 1) / Block];
        _active = [.. Enumerable.Range(0, sizes.Length)];
        _activeCount = sizes.Length;
    }

    /// <summary>All merges, each named by one leaf of either side, in the order found.</summary>
    public List<(int First, int Second, double Height)> Run(Action<double> progress)
    {
        int all = _sizes.Length - 1;
        var merges = new List<(int, int, double)>(all);
        while (merges.Count < all)
        {
            _parallel.CancellationToken.ThrowIfCancellationRequested();
            var (x, y, distance) = NextPair();
            merges.Add((x, y, _ward ? Math.Sqrt(distance) : distance));
            Unite(x, y, distance);
            if (merges.Count * 100L / all != (merges.Count - 1) * 100L / all)
            {
                progress((double)merges.Count / all);
            }
        }

        return merges;
    }

    private (int First, int Second, float Distance) NextPair()
    {
        if (_chain.Count == 0)
        {
            _chain.Add(FirstActive());
        }

        while (true)
        {
            int x = _chain[^1], previous = _chain.Count > 1 ? _chain[^2] : -1;
            var (y, distance) = Nearest(x, previous);
            if (y == previous)
            {
                _chain.RemoveRange(_chain.Count - 2, 2);
                return (Math.Min(x, y), Math.Max(x, y), distance);
            }

            _chain.Add(y);
        }
    }

    // The previous link of the chain wins ties, without which the chain could go round; else the lowest number does.
    private (int Index, float Distance) Nearest(int x, int previous)
    {
        float least = previous < 0 ? float.PositiveInfinity : _distances[x, previous];
        int blocks = (_activeCount + Block - 1) / Block;
        if (blocks <= 2)
        {
            return NearestOf(0, _activeCount, x, previous, least);
        }

        Parallel.For(0, blocks, _parallel, b => _nearest[b] = NearestOf(b * Block, Math.Min(_activeCount, (b + 1) * Block), x, previous, least));
        var result = _nearest[0];
        foreach (var candidate in _nearest.AsSpan(1, blocks - 1))
        {
            result = candidate.Distance < result.Distance ? candidate : result;
        }

        return result;
    }

    private (int Index, float Distance) NearestOf(int from, int to, int x, int nearest, float least)
    {
        int at = from;
        for (; at < to && _active[at] < x; at++)
        {
            int i = _active[at];
            float distance = _distances.Row(i)[x];
            if (distance < least && _sizes[i] != 0)
            {
                (nearest, least) = (i, distance);
            }
        }

        float* row = _distances.Row(x);
        for (; at < to; at++)
        {
            int i = _active[at];
            if (i != x && row[i] < least && _sizes[i] != 0)
            {
                (nearest, least) = (i, row[i]);
            }
        }

        return (nearest, least);
    }

    private int FirstActive()
    {
        int at = 0;
        while (_sizes[_active[at]] == 0)
        {
            at++;
        }

        return _active[at];
    }

    // The new cluster takes the place of y.
    private void Unite(int x, int y, double distance)
    {
        int blocks = (_activeCount + Block - 1) / Block;
        if (blocks <= 2)
        {
            Update(0, _activeCount, x, y, distance);
        }
        else
        {
            Parallel.For(0, blocks, _parallel, b => Update(b * Block, Math.Min(_activeCount, (b + 1) * Block), x, y, distance));
        }

        _sizes[y] += _sizes[x];
        _sizes[x] = 0;
        Compact();
    }

    private void Update(int from, int to, int x, int y, double distance)
    {
        double a = _sizes[x], b = _sizes[y];
        for (int at = from; at < to; at++)
        {
            int i = _active[at];
            if (i == x || i == y || _sizes[i] == 0)
            {
                continue;
            }

            ref float toY = ref _distances[i, y];
            double fromX = _distances[i, x], fromY = toY, c = _sizes[i];
            double united = _ward
                ? (((a + c) * fromX) + ((b + c) * fromY) - (c * distance)) / (a + b + c)
                : ((a * fromX) + (b * fromY)) / (a + b);

            // The nearer of the two is a lower bound. Rounding must not break it: heights would fall and chains go round.
            toY = (float)Math.Max(united, Math.Min(fromX, fromY));
        }
    }

    // Clusters merged away are skipped at first, and dropped from the list once they are a tenth of it.
    private void Compact()
    {
        int alive = 0;
        _dead++;
        if (_dead * 10 < _activeCount)
        {
            return;
        }

        for (int at = 0; at < _activeCount; at++)
        {
            if (_sizes[_active[at]] != 0)
            {
                _active[alive++] = _active[at];
            }
        }

        _activeCount = alive;
        _dead = 0;
    }
}
