using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>One step of an agglomerative clustering: two clusters become one.</summary>
/// <param name="First">The lower of the two cluster numbers: leaves are 0 to N − 1, the cluster made by step s is N + s.</param>
/// <param name="Second">The higher one.</param>
/// <param name="Height">How far apart they were; never falls from step to step.</param>
/// <param name="Size">Points of the new cluster: the sum of the counts of its leaves.</param>
public readonly record struct Merge(int First, int Second, double Height, long Size);

/// <summary>
/// The tree of an agglomerative clustering, as the list of its merges by rising height (the layout of SciPy's linkage matrix).
/// One tree gives clusterings of every size.
/// </summary>
public sealed class Dendrogram
{
    private readonly Merge[] _merges;

    internal Dendrogram(int leaves, Merge[] merges)
    {
        Leaves = leaves;
        _merges = merges;
    }

    /// <summary>Number of points N that were clustered.</summary>
    public int Leaves { get; }

    /// <summary>The N − 1 merges by rising height.</summary>
    public ReadOnlySpan<Merge> Merges => _merges;

    /// <summary>Labels for a number of clusters: the last merges are undone.</summary>
    /// <param name="clusters">1 to N.</param>
    /// <returns>[N] labels 0 to clusters − 1, numbered by their first leaf.</returns>
    /// <exception cref="InvalidOptionException">The number is out of range.</exception>
    public int[] Cut(int clusters) => clusters >= 1 && clusters <= Leaves
        ? Labels(Leaves - clusters)
        : throw new InvalidOptionException($"clusters = {clusters}: {Leaves} leaves can be cut into 1 to {Leaves} clusters.");

    /// <summary>Labels of the clusters that are further apart than a height.</summary>
    /// <param name="height">Merges up to this height are kept.</param>
    /// <returns>[N] labels from 0, numbered by their first leaf.</returns>
    /// <exception cref="InvalidOptionException">The height is a NaN.</exception>
    public int[] CutAt(double height)
    {
        if (double.IsNaN(height))
        {
            throw new InvalidOptionException("height = NaN: a height to cut at must be a number.");
        }

        int kept = 0;
        while (kept < _merges.Length && _merges[kept].Height <= height)
        {
            kept++;
        }

        return Labels(kept);
    }

    private int[] Labels(int merges)
    {
        // From the top of each tree down: a cluster takes the number of the one it went into.
        int[] root = new int[Leaves + merges];
        for (int i = 0; i < root.Length; i++)
        {
            root[i] = i;
        }

        for (int step = merges - 1; step >= 0; step--)
        {
            root[_merges[step].First] = root[_merges[step].Second] = root[Leaves + step];
        }

        int[] labels = new int[Leaves], number = new int[root.Length];
        int next = 0;
        for (int leaf = 0; leaf < Leaves; leaf++)
        {
            ref int known = ref number[root[leaf]];
            known = known == 0 ? ++next : known;
            labels[leaf] = known - 1;
        }

        return labels;
    }
}
