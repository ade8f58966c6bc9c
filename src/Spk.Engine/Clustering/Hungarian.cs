using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// Linear assignment on a dense cost matrix of any shape: min(rows, columns) pairs, no row or column twice, of the least total
/// cost. Shortest augmenting paths in O(r² c) time and O(r + c) memory beyond the matrix, r being the smaller side.
/// </summary>
/// <remarks>
/// Kuhn, "The Hungarian method", 1955; Jonker and Volgenant, "A shortest augmenting path algorithm", 1987. For the agreement of
/// thousands of clusters with thousands of classes most pairs never occur: <see cref="SparseAssignment"/> uses that.
/// </remarks>
public static class Hungarian
{
    /// <summary>Finds a cheapest assignment.</summary>
    /// <param name="cost">Row-major [rows, columns], finite.</param>
    /// <param name="rows">Rows, at least 1.</param>
    /// <param name="columns">Columns, at least 1.</param>
    /// <returns>Column of each row, −1 for rows left over where there are more rows than columns.</returns>
    /// <exception cref="ShapeException">The number of costs is not rows · columns, or one of them is below 1.</exception>
    /// <exception cref="NonFiniteException">A cost is a NaN or an infinity; the message names its place.</exception>
    public static int[] Minimize(ReadOnlySpan<double> cost, int rows, int columns)
    {
        if (rows < 1 || columns < 1 || (long)rows * columns != cost.Length)
        {
            throw new ShapeException($"{cost.Length} costs are no matrix of {rows} rows and {columns} columns: both must be at least 1 and their product the number of costs.");
        }

        for (int i = 0; i < cost.Length; i++)
        {
            if (!double.IsFinite(cost[i]))
            {
                throw new NonFiniteException($"the cost of row {i / columns}, column {i % columns} is {cost[i]}: forbid a pair by a large finite cost.");
            }
        }

        if (rows <= columns)
        {
            return Solve(cost, rows, columns);
        }

        double[] transposed = new double[cost.Length];
        for (int i = 0; i < rows; i++)
        {
            for (int j = 0; j < columns; j++)
            {
                transposed[(j * rows) + i] = cost[(i * columns) + j];
            }
        }

        int[] columnOfRow = new int[rows];
        Array.Fill(columnOfRow, -1);
        int[] rowOfColumn = Solve(transposed, columns, rows);
        for (int j = 0; j < columns; j++)
        {
            columnOfRow[rowOfColumn[j]] = j;
        }

        return columnOfRow;
    }

    /// <summary>Total cost of an assignment.</summary>
    /// <param name="cost">Row-major [rows, columns].</param>
    /// <param name="columns">Columns.</param>
    /// <param name="columnOfRow">Column of each row, −1 for none.</param>
    /// <exception cref="ShapeException">The matrix has another number of rows.</exception>
    public static double Total(ReadOnlySpan<double> cost, int columns, ReadOnlySpan<int> columnOfRow)
    {
        if ((long)columnOfRow.Length * columns != cost.Length)
        {
            throw new ShapeException($"{cost.Length} costs are no matrix of {columnOfRow.Length} rows and {columns} columns.");
        }

        double sum = 0;
        for (int i = 0; i < columnOfRow.Length; i++)
        {
            sum += columnOfRow[i] < 0 ? 0 : cost[(i * columns) + columnOfRow[i]];
        }

        return sum;
    }

    private static int[] Solve(ReadOnlySpan<double> cost, int rows, int columns)
    {
        double[] rowPrice = new double[rows], columnPrice = new double[columns], distance = new double[columns];
        int[] rowOfColumn = new int[columns], columnOfRow = new int[rows], previous = new int[columns], scanned = new int[columns];
        Array.Fill(rowOfColumn, -1);
        Array.Fill(columnOfRow, -1);
        bool[] done = new bool[columns];
        for (int root = 0; root < rows; root++)
        {
            Array.Fill(distance, double.PositiveInfinity);
            Array.Clear(done);
            int row = root, last = -1, scans = 0;
            double reached = 0;
            while (row >= 0)
            {
                // Reduced costs are 0 along the assignment, so the column before a row is as far away as the row.
                var costs = cost.Slice(row * columns, columns);
                double offset = reached - rowPrice[row];
                int nearest = -1;
                double least = double.PositiveInfinity;
                for (int j = 0; j < columns; j++)
                {
                    if (done[j])
                    {
                        continue;
                    }

                    double through = offset + costs[j] - columnPrice[j];
                    if (through < distance[j])
                    {
                        distance[j] = through;
                        previous[j] = row;
                    }

                    if (distance[j] < least)
                    {
                        (nearest, least) = (j, distance[j]);
                    }
                }

                done[nearest] = true;
                scanned[scans++] = nearest;
                (last, reached, row) = (nearest, least, rowOfColumn[nearest]);
            }

            rowPrice[root] += reached;
            foreach (int j in scanned.AsSpan(0, scans - 1))
            {
                rowPrice[rowOfColumn[j]] += reached - distance[j];
                columnPrice[j] -= reached - distance[j];
            }

            for (int j = last; j >= 0;)
            {
                int i = previous[j];
                rowOfColumn[j] = i;
                (columnOfRow[i], j) = (j, columnOfRow[i]);
            }
        }

        return columnOfRow;
    }
}
