using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// How often each class meets each cluster: the sparse table n[class, cluster] from which every label-based measure is computed.
/// Built in O(n + cells) time; the table of a million points with ten thousand classes holds only the pairs that occur.
/// </summary>
/// <remarks>
/// Labels are any ints, negative ones included: each distinct value is a class (or cluster) of its own, numbered here by rising
/// value. A caller who marks points as "no cluster" with −1 leaves those points out beforehand.
/// </remarks>
public sealed class ContingencyTable
{
    private readonly int[] _classLabels;
    private readonly int[] _clusterLabels;
    private readonly int[] _classSizes;
    private readonly int[] _clusterSizes;
    private readonly int[] _rowStarts;
    private readonly int[] _columns;
    private readonly int[] _counts;

    private ContingencyTable(DenseLabels truth, DenseLabels predicted)
    {
        Total = truth.Index.Length;
        _classLabels = truth.Values;
        _clusterLabels = predicted.Values;
        _classSizes = truth.Sizes();
        _clusterSizes = predicted.Sizes();

        // Points by class (a counting sort), then one pass per class that counts clusters in a row of counters.
        int[] clusterOfPoint = new int[Total];
        int[] next = new int[Classes + 1];
        for (int i = 0; i < Classes; i++)
        {
            next[i + 1] = next[i] + _classSizes[i];
        }

        for (int p = 0; p < Total; p++)
        {
            clusterOfPoint[next[truth.Index[p]]++] = predicted.Index[p];
        }

        _rowStarts = new int[Classes + 1];
        var columns = new List<int>();
        var counts = new List<int>();
        int[] counter = new int[Clusters];
        var met = new List<int>();
        int point = 0;
        for (int i = 0; i < Classes; i++)
        {
            met.Clear();
            for (int end = point + _classSizes[i]; point < end; point++)
            {
                int cluster = clusterOfPoint[point];
                if (counter[cluster]++ == 0)
                {
                    met.Add(cluster);
                }
            }

            met.Sort();
            foreach (int cluster in met)
            {
                columns.Add(cluster);
                counts.Add(counter[cluster]);
                counter[cluster] = 0;
            }

            _rowStarts[i + 1] = columns.Count;
        }

        _columns = [.. columns];
        _counts = [.. counts];
    }

    /// <summary>Number of points.</summary>
    public int Total { get; }

    /// <summary>Number of distinct true labels.</summary>
    public int Classes => _classLabels.Length;

    /// <summary>Number of distinct predicted labels.</summary>
    public int Clusters => _clusterLabels.Length;

    /// <summary>Number of pairs (class, cluster) that occur.</summary>
    public int Cells => _columns.Length;

    /// <summary>The true labels by class number, rising.</summary>
    public ReadOnlySpan<int> ClassLabels => _classLabels;

    /// <summary>The predicted labels by cluster number, rising.</summary>
    public ReadOnlySpan<int> ClusterLabels => _clusterLabels;

    /// <summary>Points of each class.</summary>
    public ReadOnlySpan<int> ClassSizes => _classSizes;

    /// <summary>Points of each cluster.</summary>
    public ReadOnlySpan<int> ClusterSizes => _clusterSizes;

    /// <summary>Where the cells of each class begin in <see cref="Columns"/> and <see cref="Counts"/>; Classes + 1 entries.</summary>
    public ReadOnlySpan<int> RowStarts => _rowStarts;

    /// <summary>Cluster number of each cell, rising within a class.</summary>
    public ReadOnlySpan<int> Columns => _columns;

    /// <summary>Points of each cell, above 0.</summary>
    public ReadOnlySpan<int> Counts => _counts;

    /// <summary>Counts pairs of labels.</summary>
    /// <param name="truth">Class of each point, any ints.</param>
    /// <param name="predicted">Cluster of each point, any ints.</param>
    /// <returns>The table.</returns>
    /// <exception cref="ShapeException">There are no points, or the lengths differ.</exception>
    public static ContingencyTable Build(ReadOnlySpan<int> truth, ReadOnlySpan<int> predicted)
    {
        if (truth.Length != predicted.Length || truth.IsEmpty)
        {
            throw new ShapeException($"{truth.Length} true and {predicted.Length} predicted labels: both must name the same points, at least one.");
        }

        return new ContingencyTable(DenseLabels.Of(truth), DenseLabels.Of(predicted));
    }

    /// <summary>Points that a class and a cluster share.</summary>
    /// <param name="class">Class number, 0 to Classes − 1.</param>
    /// <param name="cluster">Cluster number, 0 to Clusters − 1.</param>
    public int Count(int @class, int cluster)
    {
        int from = _rowStarts[@class];
        int at = Array.BinarySearch(_columns, from, _rowStarts[@class + 1] - from, cluster);
        return at < 0 ? 0 : _counts[at];
    }
}
