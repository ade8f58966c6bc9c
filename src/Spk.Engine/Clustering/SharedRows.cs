using System.Numerics.Tensors;
using Spk.Engine.Collectives;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>
/// Rows that lie in several processes, a run of consecutive ones in each, and what the processes tell each other about them. Sums are added in the
/// order of the ranks, so that every process has the same bits.
/// </summary>
/// <remarks>Shares are whole chunks of k-means++: its sums of chunks, and so its choices, are then those of one process.</remarks>
internal sealed unsafe class SharedRows
{
    // Elements that travel at once from each process: enough that their number does not matter, few enough that their memory does not.
    private const int AtOnce = 1 << 16;

    private readonly int _each;
    private readonly double[] _ownSums, _allSums;
    private readonly float[] _ownRows, _allRows;

    /// <summary>Joins the shares.</summary>
    /// <param name="processes">The processes.</param>
    /// <param name="own">This process's rows.</param>
    /// <param name="total">Rows of all.</param>
    public SharedRows(Collective processes, in KMeansData own, int total)
    {
        (Processes, Own, Total) = (processes, own, total);
        _each = Each(total, processes.Ranks);
        _ownSums = new double[AtOnce];
        _allSums = new double[AtOnce * processes.Ranks];
        int rows = Math.Max(1, AtOnce / own.Dimension) * own.Dimension;
        _ownRows = new float[rows];
        _allRows = new float[rows * processes.Ranks];
    }

    public Collective Processes { get; }

    /// <summary>This process's rows.</summary>
    public KMeansData Own { get; }

    /// <summary>N, rows of all processes.</summary>
    public int Total { get; }

    /// <summary>Number of this process's first row among all.</summary>
    public int First => ShareOf(Total, Processes.Ranks, Processes.Rank).First;

    /// <summary>Most rows of a process, a multiple of a chunk.</summary>
    public int Largest => _each;

    /// <summary>Which rows a process has; none where the others have them all.</summary>
    public static (int First, int Count) ShareOf(int total, int ranks, int rank)
    {
        int each = Each(total, ranks), first = (int)Math.Min(total, (long)each * rank);
        return (first, Math.Min(each, total - first));
    }

    /// <summary>The values of all rows from those of each process's own.</summary>
    public static T[] Join<T>(ReadOnlySpan<T> own, int total, Collective processes) where T : unmanaged
    {
        T[] joined = new T[total], part = new T[Math.Min(AtOnce, Each(total, processes.Ranks))], all = new T[part.Length * processes.Ranks];
        for (int start = 0; start < Each(total, processes.Ranks) && start < total; start += part.Length)
        {
            own[Math.Min(start, own.Length)..Math.Min(start + part.Length, own.Length)].CopyTo(part);
            processes.Exchange<T>(part, all);
            for (int rank = 0; rank < processes.Ranks; rank++)
            {
                var (first, count) = ShareOf(total, processes.Ranks, rank);
                int here = Math.Clamp(count - start, 0, part.Length);
                all.AsSpan(rank * part.Length, here).CopyTo(joined.AsSpan(here == 0 ? 0 : first + start));
            }
        }

        return joined;
    }

    /// <summary>The process that has a row.</summary>
    public int OwnerOf(int row) => row / _each;

    /// <summary>Puts the sums over all processes in the place of each process's values.</summary>
    public void Add(Span<double> values)
    {
        for (int start = 0; start < values.Length; start += AtOnce)
        {
            var part = values.Slice(start, Math.Min(AtOnce, values.Length - start));
            var all = _allSums.AsSpan(0, part.Length * Processes.Ranks);
            part.CopyTo(_ownSums);
            Processes.Exchange<double>(_ownSums.AsSpan(0, part.Length), all);
            all[..part.Length].CopyTo(part);
            for (int rank = 1; rank < Processes.Ranks; rank++)
            {
                TensorPrimitives.Add(part, all.Slice(rank * part.Length, part.Length), part);
            }
        }
    }

    /// <summary>Copies rows of any process.</summary>
    /// <param name="rows">Their numbers among all, the same on all processes.</param>
    /// <param name="values">Receives them, row-major.</param>
    public void Read(ReadOnlySpan<int> rows, Span<float> values)
    {
        int dimension = Own.Dimension, most = _ownRows.Length / dimension, first = First;
        for (int start = 0; start < rows.Length; start += most)
        {
            var part = rows.Slice(start, Math.Min(most, rows.Length - start));
            int length = part.Length * dimension;
            for (int i = 0; i < part.Length; i++)
            {
                if (OwnerOf(part[i]) == Processes.Rank)
                {
                    new ReadOnlySpan<float>(Own.Row(part[i] - first), dimension).CopyTo(_ownRows.AsSpan(i * dimension));
                }
            }

            Processes.Exchange<float>(_ownRows.AsSpan(0, length), _allRows.AsSpan(0, length * Processes.Ranks));
            for (int i = 0; i < part.Length; i++)
            {
                _allRows.AsSpan((OwnerOf(part[i]) * length) + (i * dimension), dimension).CopyTo(values[((start + i) * dimension)..]);
            }
        }
    }

    private static int Each(int total, int ranks)
    {
        long chunks = ((long)total + SeedingDistanceBody.ChunkRows - 1) / SeedingDistanceBody.ChunkRows;
        return (int)Math.Min(int.MaxValue, Math.Max(1, (chunks + ranks - 1) / ranks) * SeedingDistanceBody.ChunkRows);
    }
}
