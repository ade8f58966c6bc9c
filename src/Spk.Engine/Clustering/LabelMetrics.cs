using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// Measures that compare a clustering with known classes. All work on the sparse <see cref="ContingencyTable"/>: pair counts are
/// exact integers, logarithms are f64, results do not depend on the number of threads or on how labels are numbered.
/// Degenerate cases (one cluster, every point its own cluster) follow scikit-learn.
/// </summary>
public static class LabelMetrics
{
    // Below this, scikit-learn takes a mutual information for rounding noise around 0.
    private const double Epsilon = 2.220446049250313e-16;

    /// <summary>Computes every measure.</summary>
    /// <param name="truth">Class of each point, any ints.</param>
    /// <param name="predicted">Cluster of each point, any ints; each distinct value is a cluster, −1 too.</param>
    /// <param name="threads">Threads for the chance correction; 0 for one per processor. The result does not depend on it.</param>
    /// <returns>All measures.</returns>
    /// <exception cref="ShapeException">There are no points, or the lengths differ.</exception>
    /// <exception cref="InvalidOptionException">The number of threads is negative.</exception>
    public static ClusterAgreement Compare(ReadOnlySpan<int> truth, ReadOnlySpan<int> predicted, int threads = 0) =>
        Compare(ContingencyTable.Build(truth, predicted), threads);

    /// <summary>Computes every measure of a table at hand.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <param name="threads">Threads for the chance correction; 0 for one per processor. The result does not depend on it.</param>
    /// <returns>All measures.</returns>
    /// <exception cref="InvalidOptionException">The number of threads is negative.</exception>
    public static ClusterAgreement Compare(ContingencyTable table, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(table);
        return new ClusterAgreement
        {
            Points = table.Total,
            Classes = table.Classes,
            Clusters = table.Clusters,
            Accuracy = Accuracy(table),
            Purity = Purity(table),
            NormalizedMutualInformation = NormalizedMutualInformation(table),
            NormalizedMutualInformationGeometric = NormalizedMutualInformation(table, geometric: true),
            AdjustedMutualInformation = AdjustedMutualInformation(table, threads),
            AdjustedRandIndex = AdjustedRandIndex(table),
            Homogeneity = Homogeneity(table),
            Completeness = Completeness(table),
            VMeasure = VMeasure(table),
            FowlkesMallows = FowlkesMallows(table),
        };
    }

    /// <summary>ACC: share of points in the best one-to-one matching of clusters and classes; the numbers of both may differ.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <returns>A number of (0, 1].</returns>
    /// <remarks>The matching is exact: a shortest augmenting path over the pairs that occur (<see cref="SparseAssignment"/>).</remarks>
    public static double Accuracy(ContingencyTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        var matching = SparseAssignment.Maximize(table.RowStarts, table.Columns, table.Counts, table.Clusters);
        return (double)matching.Total / table.Total;
    }

    /// <summary>Share of points that belong to the largest class of their cluster.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <returns>A number of (0, 1].</returns>
    public static double Purity(ContingencyTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        int[] largest = new int[table.Clusters];
        for (int cell = 0; cell < table.Cells; cell++)
        {
            ref int value = ref largest[table.Columns[cell]];
            value = Math.Max(value, table.Counts[cell]);
        }

        long sum = 0;
        foreach (int value in largest)
        {
            sum += value;
        }

        return (double)sum / table.Total;
    }

    /// <summary>Mutual information of classes and clusters.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <returns>Nats, at least 0.</returns>
    public static double MutualInformation(ContingencyTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        double n = table.Total, sum = 0;
        for (int i = 0; i < table.Classes; i++)
        {
            double a = table.ClassSizes[i];
            for (int cell = table.RowStarts[i]; cell < table.RowStarts[i + 1]; cell++)
            {
                // n·count and a·b are exact in f64 up to 2^53: the logarithm of independent labels is exactly 0.
                double count = table.Counts[cell], b = table.ClusterSizes[table.Columns[cell]];
                sum += count / n * Math.Log(n * count / (a * b));
            }
        }

        return Math.Max(0, sum);
    }

    /// <summary>Entropy of the true labels.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <returns>Nats, at least 0; 0 for one class.</returns>
    public static double ClassEntropy(ContingencyTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        return Entropy(table.ClassSizes, table.Total);
    }

    /// <summary>Entropy of the predicted labels.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <returns>Nats, at least 0; 0 for one cluster.</returns>
    public static double ClusterEntropy(ContingencyTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        return Entropy(table.ClusterSizes, table.Total);
    }

    /// <summary>NMI: mutual information over the mean of both entropies.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <param name="geometric">The geometric mean instead of the arithmetic one.</param>
    /// <returns>A number of [0, 1]; 1 where both sides are a single group.</returns>
    /// <remarks>Strehl and Ghosh, "Cluster ensembles", JMLR 2002.</remarks>
    public static double NormalizedMutualInformation(ContingencyTable table, bool geometric = false)
    {
        ArgumentNullException.ThrowIfNull(table);
        if (table.Classes == 1 && table.Clusters == 1)
        {
            return 1;
        }

        double information = MutualInformation(table), first = ClassEntropy(table), second = ClusterEntropy(table);
        return information <= Epsilon ? 0 : information / (geometric ? Math.Sqrt(first * second) : (first + second) / 2);
    }

    /// <summary>AMI: mutual information above what random labels of the same group sizes share, over the most there could be.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <param name="threads">Threads; 0 for one per processor. The result does not depend on it.</param>
    /// <returns>A number of at most 1; 1 for equal partitions.</returns>
    /// <remarks>Vinh, Epps and Bailey, "Information theoretic measures for clusterings comparison", JMLR 2010; arithmetic mean.</remarks>
    /// <exception cref="InvalidOptionException">The number of threads is negative.</exception>
    public static double AdjustedMutualInformation(ContingencyTable table, int threads = 0)
    {
        ArgumentNullException.ThrowIfNull(table);
        var parallel = Threads.Options(threads);
        if (table.Cells == table.Classes && table.Cells == table.Clusters)
        {
            // Equal partitions. Where all points are single, expectation and maximum meet and the quotient would be 0/0.
            return 1;
        }

        double expected = ExpectedMutualInformation.Compute(table.ClassSizes, table.ClusterSizes, table.Total, parallel);
        double most = (ClassEntropy(table) + ClusterEntropy(table)) / 2;
        double room = most - expected;
        room = room < 0 ? Math.Min(room, -Epsilon) : Math.Max(room, Epsilon);
        return (MutualInformation(table) - expected) / room;
    }

    /// <summary>ARI: agreement on pairs of points, corrected for chance.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <returns>A number of [−0.5, 1]; 1 for equal partitions.</returns>
    /// <remarks>Hubert and Arabie, "Comparing partitions", 1985. Exact integers up to the final division.</remarks>
    public static double AdjustedRandIndex(ContingencyTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        var (together, sameClass, sameCluster, all) = Pairs(table);
        long onlyClass = sameClass - together, onlyCluster = sameCluster - together;
        long apart = all - sameClass - onlyCluster;
        if (onlyClass == 0 && onlyCluster == 0)
        {
            return 1;
        }

        // Products of pair counts need up to 124 bits.
        Int128 difference = ((Int128)together * apart) - ((Int128)onlyClass * onlyCluster);
        Int128 scale = ((Int128)sameClass * (onlyClass + apart)) + ((Int128)sameCluster * (onlyCluster + apart));
        return 2 * (double)difference / (double)scale;
    }

    /// <summary>MI over the entropy of the classes: 1 where every cluster holds points of one class only.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <returns>A number of [0, 1]; 1 where there is one class.</returns>
    /// <remarks>Rosenberg and Hirschberg, "V-measure", EMNLP 2007.</remarks>
    public static double Homogeneity(ContingencyTable table)
    {
        double entropy = ClassEntropy(table);
        return entropy == 0 ? 1 : MutualInformation(table) / entropy;
    }

    /// <summary>MI over the entropy of the clusters: 1 where all points of a class are in one cluster.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <returns>A number of [0, 1]; 1 where there is one cluster.</returns>
    /// <remarks>Rosenberg and Hirschberg, "V-measure", EMNLP 2007. The best single predictor of the error rate of a speaker model.</remarks>
    public static double Completeness(ContingencyTable table)
    {
        double entropy = ClusterEntropy(table);
        return entropy == 0 ? 1 : MutualInformation(table) / entropy;
    }

    /// <summary>Harmonic mean of homogeneity and completeness (β = 1).</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <returns>A number of [0, 1].</returns>
    /// <remarks>Rosenberg and Hirschberg, "V-measure", EMNLP 2007.</remarks>
    public static double VMeasure(ContingencyTable table)
    {
        double homogeneity = Homogeneity(table), completeness = Completeness(table);
        double sum = homogeneity + completeness;
        return sum == 0 ? 0 : 2 * homogeneity * completeness / sum;
    }

    /// <summary>FMI: geometric mean of pairwise precision and recall.</summary>
    /// <param name="table">Counts of classes and clusters.</param>
    /// <returns>A number of [0, 1]; 0 where no pair of points shares both class and cluster.</returns>
    /// <remarks>Fowlkes and Mallows, "A method for comparing two hierarchical clusterings", 1983.</remarks>
    public static double FowlkesMallows(ContingencyTable table)
    {
        ArgumentNullException.ThrowIfNull(table);
        var (together, sameClass, sameCluster, _) = Pairs(table);
        return together == 0 ? 0 : Math.Sqrt((double)together / sameClass) * Math.Sqrt((double)together / sameCluster);
    }

    // Ordered pairs of different points: in the same cell, class and cluster, and all of them; below 2^62 for 2^31 points.
    private static (long Together, long SameClass, long SameCluster, long All) Pairs(ContingencyTable table) =>
        (Pairs(table.Counts), Pairs(table.ClassSizes), Pairs(table.ClusterSizes), (long)table.Total * (table.Total - 1));

    private static long Pairs(ReadOnlySpan<int> sizes)
    {
        long sum = 0;
        foreach (int size in sizes)
        {
            sum += (long)size * (size - 1);
        }

        return sum;
    }

    private static double Entropy(ReadOnlySpan<int> sizes, int total)
    {
        if (sizes.Length == 1)
        {
            return 0;
        }

        double sum = 0;
        foreach (int size in sizes)
        {
            sum -= (double)size / total * Math.Log((double)size / total);
        }

        return sum;
    }
}
