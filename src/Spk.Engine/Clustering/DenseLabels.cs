namespace Spk.Engine.Clustering;

/// <summary>Labels renumbered 0, 1, … by rising value.</summary>
/// <param name="Index">Number of each point's label.</param>
/// <param name="Values">The labels by number.</param>
internal readonly record struct DenseLabels(int[] Index, int[] Values)
{
    public static DenseLabels Of(ReadOnlySpan<int> labels)
    {
        int low = int.MaxValue, high = int.MinValue;
        foreach (int label in labels)
        {
            low = Math.Min(low, label);
            high = Math.Max(high, label);
        }

        // Usual labels lie close together, and a lookup table is much faster than sorting; ids far apart are sorted.
        return (long)high - low < (4L * labels.Length) + 1024 ? ByTable(labels, low, high - low + 1) : BySorting(labels);
    }

    /// <summary>Points of each label.</summary>
    public int[] Sizes()
    {
        int[] sizes = new int[Values.Length];
        foreach (int index in Index)
        {
            sizes[index]++;
        }

        return sizes;
    }

    /// <summary>Points by label, in order within a label: those of label k are at starts[k] to starts[k + 1] − 1.</summary>
    public (int[] Order, int[] Starts) Group()
    {
        int[] starts = new int[Values.Length + 1];
        foreach (int index in Index)
        {
            starts[index + 1]++;
        }

        for (int k = 0; k < Values.Length; k++)
        {
            starts[k + 1] += starts[k];
        }

        int[] next = starts.AsSpan(0, Values.Length).ToArray();
        int[] order = new int[Index.Length];
        for (int p = 0; p < order.Length; p++)
        {
            order[next[Index[p]]++] = p;
        }

        return (order, starts);
    }

    private static DenseLabels ByTable(ReadOnlySpan<int> labels, int low, int range)
    {
        int[] number = new int[range];
        foreach (int label in labels)
        {
            number[label - low] = 1;
        }

        var values = new List<int>();
        for (int i = 0; i < range; i++)
        {
            if (number[i] != 0)
            {
                number[i] = values.Count;
                values.Add(low + i);
            }
        }

        int[] index = new int[labels.Length];
        for (int p = 0; p < index.Length; p++)
        {
            index[p] = number[labels[p] - low];
        }

        return new DenseLabels(index, [.. values]);
    }

    private static DenseLabels BySorting(ReadOnlySpan<int> labels)
    {
        int[] sorted = labels.ToArray();
        int[] index = new int[labels.Length];
        for (int p = 0; p < index.Length; p++)
        {
            index[p] = p;
        }

        Array.Sort(sorted, index);
        int[] number = new int[labels.Length];
        var values = new List<int>();
        for (int i = 0; i < sorted.Length; i++)
        {
            if (i == 0 || sorted[i] != sorted[i - 1])
            {
                values.Add(sorted[i]);
            }

            number[index[i]] = values.Count - 1;
        }

        return new DenseLabels(number, [.. values]);
    }
}
