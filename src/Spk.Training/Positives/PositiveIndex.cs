using Spk.Engine.Numerics;

namespace Spk.Training.Positives;

/// <summary>
/// Which stored row an anchor gets: knows the cluster of every utterance and what the queue holds. Pure bookkeeping on the host; a draw
/// costs the length of one cluster's list and allocates nothing.
/// </summary>
/// <remarks>
/// The rows of a cluster form a list from the oldest to the newest, so that the state after a restart, rebuilt in the order of
/// ages, is the state before it. Only the newest row of an utterance is listed.
/// </remarks>
internal sealed class PositiveIndex
{
    private const int None = -1;
    private readonly int[] _utteranceOf, _next, _previous, _rowOf, _clusterOf;
    private readonly int _neighbours;
    private readonly float _rankDecay;
    private readonly bool _wholeCluster;
    private int[] _first = [], _last = [], _count = [], _near = [], _members = [], _memberStart = [];

    /// <summary>Starts with an empty queue and no clusters.</summary>
    /// <param name="utterances">Utterances of the corpus.</param>
    /// <param name="rows">Rows of the queue.</param>
    /// <param name="spec">Neighbours, ranks and where to draw.</param>
    public PositiveIndex(int utterances, int rows, PositiveSamplingSpec spec)
    {
        _utteranceOf = Filled(rows);
        _next = Filled(rows);
        _previous = Filled(rows);
        _rowOf = Filled(utterances);
        _clusterOf = Filled(utterances);
        (_neighbours, _rankDecay, _wholeCluster) = (spec.Neighbours, spec.RankDecay, spec.WholeCluster);
    }

    /// <summary>Utterance of every row of the queue, −1 where there is none yet.</summary>
    public int[] UtteranceOf => _utteranceOf;

    /// <summary>Cluster of every utterance, −1 where it has none.</summary>
    public int[] ClusterOf => _clusterOf;

    /// <summary>Whether a row holds the latest embedding of an utterance; false for a row that holds nothing yet.</summary>
    public bool IsNewest(int row) => _utteranceOf[row] >= 0 && _rowOf[_utteranceOf[row]] == row;

    /// <summary>Takes over a clustering.</summary>
    /// <param name="clusterOf">Cluster of every utterance, −1 for none.</param>
    /// <param name="clusters">K.</param>
    /// <param name="near">[K, M], the clusters nearest to each, itself left out.</param>
    /// <param name="oldest">The row of the queue that is written next.</param>
    public void SetClusters(ReadOnlySpan<int> clusterOf, int clusters, int[] near, int oldest)
    {
        clusterOf.CopyTo(_clusterOf);
        _near = near;
        _memberStart = new int[clusters + 1];
        foreach (int cluster in _clusterOf)
        {
            if (cluster >= 0)
            {
                _memberStart[cluster + 1]++;
            }
        }

        for (int k = 0; k < clusters; k++)
        {
            _memberStart[k + 1] += _memberStart[k];
        }

        _members = new int[_memberStart[clusters]];
        int[] at = _memberStart[..clusters];
        for (int utterance = 0; utterance < _clusterOf.Length; utterance++)
        {
            if (_clusterOf[utterance] >= 0)
            {
                _members[at[_clusterOf[utterance]]++] = utterance;
            }
        }

        _first = Filled(clusters);
        _last = Filled(clusters);
        _count = new int[clusters];
        Array.Fill(_rowOf, None);
        for (int i = 0; i < _utteranceOf.Length; i++)
        {
            int row = (oldest + i) % _utteranceOf.Length;
            if (_utteranceOf[row] >= 0)
            {
                Link(row);
            }
        }
    }

    /// <summary>Notes what is written to consecutive rows of the queue.</summary>
    /// <param name="start">First row.</param>
    /// <param name="utterances">Whose embeddings they are.</param>
    public void Store(int start, ReadOnlySpan<int> utterances)
    {
        for (int i = 0; i < utterances.Length; i++)
        {
            int row = start + i;
            Unlink(row);
            _utteranceOf[row] = utterances[i];
            Link(row);
        }
    }

    /// <summary>Draws a stored positive for an anchor.</summary>
    /// <param name="random">The anchor's random numbers of this step.</param>
    /// <param name="anchor">Its utterance.</param>
    /// <returns>A row of the queue that holds another utterance, or −1 where there is none to take.</returns>
    public int Draw(ref CounterRandom random, int anchor)
    {
        int own = _clusterOf[anchor];
        if (own < 0)
        {
            return None;
        }

        int cluster = _neighbours == 0 ? own : _near[(own * _neighbours) + Rank(ref random, _neighbours, _rankDecay)];
        return _wholeCluster ? DrawMember(ref random, cluster, anchor) : DrawStored(ref random, cluster, anchor);
    }

    /// <summary>A rank from 0 to count − 1 with weights e^(−decay · rank).</summary>
    public static int Rank(ref CounterRandom random, int count, float decay)
    {
        if (decay == 0 || count == 1)
        {
            return random.NextInt(count);
        }

        // The inverse of the geometric distribution cut off at count.
        double u = random.NextFloat(), all = 1 - Math.Exp(-decay * (double)count);
        return Math.Min(count - 1, (int)(-Math.Log(1 - (u * all)) / decay));
    }

    private int DrawStored(ref CounterRandom random, int cluster, int anchor)
    {
        bool holdsAnchor = _rowOf[anchor] >= 0 && _clusterOf[anchor] == cluster;
        int choices = _count[cluster] - (holdsAnchor ? 1 : 0);
        if (choices == 0)
        {
            return None;
        }

        int left = random.NextInt(choices), row = _first[cluster];
        while (_utteranceOf[row] == anchor || left-- > 0)
        {
            row = _next[row];
        }

        return row;
    }

    private int DrawMember(ref CounterRandom random, int cluster, int anchor)
    {
        int start = _memberStart[cluster], choices = _memberStart[cluster + 1] - start;
        int self = _clusterOf[anchor] == cluster ? Array.BinarySearch(_members, start, choices, anchor) : None;
        choices -= self >= 0 ? 1 : 0;
        if (choices == 0)
        {
            return None;
        }

        int at = start + random.NextInt(choices);
        return _rowOf[_members[self >= 0 && at >= self ? at + 1 : at]];
    }

    private void Link(int row)
    {
        int utterance = _utteranceOf[row], older = _rowOf[utterance];
        if (older >= 0)
        {
            Detach(older);
        }

        _rowOf[utterance] = row;
        int cluster = ClusterOfListed(utterance);
        if (cluster < 0)
        {
            return;
        }

        _previous[row] = _last[cluster];
        _next[row] = None;
        if (_last[cluster] >= 0)
        {
            _next[_last[cluster]] = row;
        }
        else
        {
            _first[cluster] = row;
        }

        _last[cluster] = row;
        _count[cluster]++;
    }

    private void Unlink(int row)
    {
        int utterance = _utteranceOf[row];
        if (utterance >= 0 && _rowOf[utterance] == row)
        {
            Detach(row);
            _rowOf[utterance] = None;
        }
    }

    private void Detach(int row)
    {
        int cluster = ClusterOfListed(_utteranceOf[row]);
        if (cluster < 0)
        {
            return;
        }

        (int before, int after) = (_previous[row], _next[row]);
        if (before >= 0)
        {
            _next[before] = after;
        }
        else
        {
            _first[cluster] = after;
        }

        if (after >= 0)
        {
            _previous[after] = before;
        }
        else
        {
            _last[cluster] = before;
        }

        _count[cluster]--;
    }

    private int ClusterOfListed(int utterance) => _count.Length > 0 ? _clusterOf[utterance] : None;

    private static int[] Filled(int length)
    {
        int[] values = new int[length];
        Array.Fill(values, None);
        return values;
    }
}
