using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// The matching of the largest total weight between rows and columns of a sparse matrix of positive integers; rows and columns
/// may stay unmatched. Exact for ten thousand rows and columns in well under the time and memory of a dense solver.
/// </summary>
/// <remarks>
/// Columns have prices. First rows bid for their best column, as in the row reduction of Jonker and Volgenant (1987); rows that
/// ties leave open are then placed by shortest augmenting paths (Dijkstra on reduced costs), where a path may also end by leaving
/// a row unmatched. All arithmetic is on 64-bit integers.
/// </remarks>
public sealed class SparseAssignment
{
    // Bids before the rest is left to augmenting paths: a war of prices between near-equal columns could go on for long.
    private const int BidsPerRow = 8;
    private const long Unreached = long.MaxValue;

    private readonly int[] _starts;
    private readonly int[] _columns;
    private readonly int[] _weights;
    private readonly long[] _price;
    private readonly int[] _rowOfColumn;
    private readonly int[] _columnOfRow;
    private readonly int[] _cellOfRow;

    private SparseAssignment(int[] starts, int[] columns, int[] weights, int columnCount)
    {
        _starts = starts;
        _columns = columns;
        _weights = weights;
        _price = new long[columnCount];
        _rowOfColumn = new int[columnCount];
        _columnOfRow = new int[starts.Length - 1];
        _cellOfRow = new int[starts.Length - 1];
        Array.Fill(_rowOfColumn, -1);
        Array.Fill(_columnOfRow, -1);
        var open = Bid();
        var search = new Search(this);
        foreach (int row in open)
        {
            search.Place(row);
        }

        for (int row = 0; row < _columnOfRow.Length; row++)
        {
            Total += _columnOfRow[row] < 0 ? 0 : _weights[_cellOfRow[row]];
        }
    }

    /// <summary>Sum of the weights of the matched cells.</summary>
    public long Total { get; }

    /// <summary>Column of each row, −1 for none.</summary>
    public ReadOnlySpan<int> ColumnOfRow => _columnOfRow;

    /// <summary>Finds a matching of the largest total weight.</summary>
    /// <param name="rowStarts">Where the cells of each row begin, from 0; one entry more than there are rows.</param>
    /// <param name="columns">Column of each cell, 0 to columnCount − 1, no column twice in a row.</param>
    /// <param name="weights">Weight of each cell, above 0.</param>
    /// <param name="columnCount">Number of columns.</param>
    /// <returns>The matching.</returns>
    /// <exception cref="ShapeException">The three arrays are no sparse matrix, or a weight is below 1.</exception>
    public static SparseAssignment Maximize(ReadOnlySpan<int> rowStarts, ReadOnlySpan<int> columns, ReadOnlySpan<int> weights, int columnCount)
    {
        bool valid = rowStarts.Length > 0 && rowStarts[0] == 0 && rowStarts[^1] == columns.Length && columns.Length == weights.Length && columnCount >= 0;
        for (int row = 1; valid && row < rowStarts.Length; row++)
        {
            valid = rowStarts[row] >= rowStarts[row - 1];
        }

        for (int cell = 0; valid && cell < columns.Length; cell++)
        {
            valid = (uint)columns[cell] < (uint)columnCount && weights[cell] > 0;
        }

        if (!valid)
        {
            throw new ShapeException(
                $"{rowStarts.Length - 1} rows, {columnCount} columns and {columns.Length} cells are no sparse matrix: row starts rise from 0 to the number of cells, columns are in range, weights above 0.");
        }

        return new SparseAssignment(rowStarts.ToArray(), columns.ToArray(), weights.ToArray(), columnCount);
    }

    // Gives every row its best column at the price that makes the second best as good; returns the rows left over.
    private List<int> Bid()
    {
        var open = new List<int>();
        var waiting = new Stack<int>();
        long bids = (long)BidsPerRow * _columnOfRow.Length;
        for (int first = 0; first < _columnOfRow.Length; first++)
        {
            waiting.Push(first);
            while (waiting.TryPop(out int row))
            {
                var (best, second, gain, runnerUp) = BestCells(row);
                if (best < 0)
                {
                    continue;
                }

                // Of two equally good columns a free one displaces nobody.
                int cell = gain == runnerUp && second >= 0 && _rowOfColumn[_columns[best]] >= 0 ? second : best;
                int owner = _rowOfColumn[_columns[cell]];
                if (owner >= 0 && (gain == runnerUp || bids <= 0))
                {
                    open.Add(row);
                    continue;
                }

                bids--;
                _price[_columns[cell]] += gain - runnerUp;
                Assign(row, cell);
                if (owner >= 0)
                {
                    _columnOfRow[owner] = -1;
                    waiting.Push(owner);
                }
            }
        }

        return open;
    }

    // The two cells of a row worth most after their column's price, as far as they are worth more than staying unmatched.
    private (int Best, int Second, long Gain, long RunnerUp) BestCells(int row)
    {
        int best = -1, second = -1;
        long gain = 0, runnerUp = 0;
        for (int cell = _starts[row]; cell < _starts[row + 1]; cell++)
        {
            long worth = _weights[cell] - _price[_columns[cell]];
            if (worth > gain)
            {
                (best, second, gain, runnerUp) = (cell, best, worth, gain);
            }
            else if (worth > runnerUp)
            {
                (second, runnerUp) = (cell, worth);
            }
        }

        return (best, second, gain, runnerUp);
    }

    private void Assign(int row, int cell)
    {
        _rowOfColumn[_columns[cell]] = row;
        _columnOfRow[row] = _columns[cell];
        _cellOfRow[row] = cell;
    }

    /// <summary>Shortest augmenting paths from one row at a time; work is proportional to what a search touches.</summary>
    private sealed class Search
    {
        private readonly SparseAssignment _of;
        private readonly long[] _distance;
        private readonly int[] _through;
        private readonly int[] _cameFrom;
        private readonly List<int> _touched = [];
        private readonly List<int> _scanned = [];
        private readonly PriorityQueue<int, long> _queue = new();
        private long _limit;
        private int _freeColumn;
        private int _released;

        public Search(SparseAssignment of)
        {
            _of = of;
            _distance = new long[of._price.Length];
            _through = new int[of._price.Length];
            _cameFrom = new int[of._price.Length];
            Array.Fill(_distance, Unreached);
        }

        /// <summary>Matches a row if that makes the total larger; others may change columns or lose theirs.</summary>
        public void Place(int root)
        {
            long worth = _of.BestCells(root).Gain;
            (_limit, _freeColumn, _released) = (worth, -1, root);
            if (worth == 0)
            {
                return;
            }

            Scan(root, 0, worth);
            while (_queue.TryDequeue(out int column, out long distance) && distance < _limit)
            {
                // Older entries of a column whose distance has fallen since are skipped.
                if (distance > _distance[column])
                {
                    continue;
                }

                int row = _of._rowOfColumn[column];
                long gain = _of._weights[_of._cellOfRow[row]] - _of._price[column];
                _scanned.Add(column);
                if (distance + gain < _limit)
                {
                    (_limit, _freeColumn, _released) = (distance + gain, -1, row);
                }

                Scan(row, distance, gain);
            }

            foreach (int column in _scanned)
            {
                _of._price[column] += Math.Max(0, _limit - _distance[column]);
            }

            Augment(root);
            foreach (int column in _touched)
            {
                _distance[column] = Unreached;
            }

            _touched.Clear();
            _scanned.Clear();
            _queue.Clear();
        }

        // Follows every cell of a row at a distance; its reduced cost is what the row would lose by taking it.
        private void Scan(int row, long distance, long gain)
        {
            for (int cell = _of._starts[row]; cell < _of._starts[row + 1]; cell++)
            {
                int column = _of._columns[cell];
                long reached = distance + gain - (_of._weights[cell] - _of._price[column]);
                if (reached >= _limit || reached >= _distance[column])
                {
                    continue;
                }

                if (_distance[column] == Unreached)
                {
                    _touched.Add(column);
                }

                (_distance[column], _through[column], _cameFrom[column]) = (reached, cell, row);
                if (_of._rowOfColumn[column] < 0)
                {
                    (_limit, _freeColumn, _released) = (reached, column, -1);
                }
                else
                {
                    _queue.Enqueue(column, reached);
                }
            }
        }

        // Shifts the columns along the path: from its end, a free column or that of the row to be released, back to the root.
        private void Augment(int root)
        {
            int column = _freeColumn;
            if (_released >= 0)
            {
                column = _of._columnOfRow[_released];
                _of._columnOfRow[_released] = -1;
            }

            while (column >= 0)
            {
                int row = _cameFrom[column], cell = _through[column];
                int next = row == root ? -1 : _of._columnOfRow[row];
                _of.Assign(row, cell);
                column = next;
            }
        }
    }
}
