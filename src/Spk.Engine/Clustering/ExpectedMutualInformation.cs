namespace Spk.Engine.Clustering;

/// <summary>Mutual information that random labels with given group sizes share on average (the hypergeometric model).</summary>
internal static class ExpectedMutualInformation
{
    // Weights this far below the largest one change nothing: at most 2^31 of them, each with a logarithm below 22.
    private const double Negligible = 1e-30;
    private const int LogarithmTable = 1 << 20;

    /// <summary>The expectation in nats.</summary>
    /// <remarks>
    /// For a class of a points and a cluster of b points the shared count k is hypergeometric. Its probabilities are found from the
    /// most likely k outwards by their exact ratio and divided by their own sum, which needs no factorials and loses no digits at a
    /// million points. Sizes that occur several times are computed once.
    /// </remarks>
    public static double Compute(ReadOnlySpan<int> classSizes, ReadOnlySpan<int> clusterSizes, int total, ParallelOptions parallel)
    {
        var (a, aTimes) = Distinct(classSizes);
        var (b, bTimes) = Distinct(clusterSizes);
        double[] log = new double[Math.Min(LogarithmTable, Math.Min(a[^1], b[^1]) + 1)];
        for (int k = 1; k < log.Length; k++)
        {
            log[k] = Math.Log(k);
        }

        double[] sums = new double[a.Length];
        Parallel.For(0, a.Length, parallel, i =>
        {
            double sum = 0;
            for (int j = 0; j < b.Length; j++)
            {
                sum += bTimes[j] * Expectation(a[i], b[j], total, log);
            }

            sums[i] = aTimes[i] * sum;
        });

        double all = 0;
        foreach (double sum in sums)
        {
            all += sum;
        }

        return all;
    }

    // The mean of k/n · ln(n k / (a b)) for k points drawn from a class of a and a cluster of b.
    private static double Expectation(int a, int b, int n, double[] log)
    {
        long least = Math.Max(0L, (long)a + b - n), most = Math.Min(a, b);
        long mode = Math.Clamp((long)((a + 1.0) * (b + 1.0) / (n + 2.0)), least, most);
        double shift = Math.Log(n) - Math.Log(a) - Math.Log(b);
        double rest = (double)n - a - b;
        double weights = 1, sum = Term(mode, shift, log);

        double weight = 1;
        for (long k = mode; k < most && weight > Negligible; k++)
        {
            weight *= (double)(a - k) * (b - k) / ((k + 1.0) * (rest + k + 1));
            weights += weight;
            sum += weight * Term(k + 1, shift, log);
        }

        weight = 1;
        for (long k = mode; k > least && weight > Negligible; k--)
        {
            weight *= k * (rest + k) / ((a - k + 1.0) * (b - k + 1.0));
            weights += weight;
            sum += weight * Term(k - 1, shift, log);
        }

        return sum / weights / n;
    }

    private static double Term(long k, double shift, double[] log) =>
        k == 0 ? 0 : k * ((k < log.Length ? log[k] : Math.Log(k)) + shift);

    private static (int[] Sizes, long[] Times) Distinct(ReadOnlySpan<int> sizes)
    {
        int[] sorted = sizes.ToArray();
        Array.Sort(sorted);
        var distinct = new List<int>();
        var times = new List<long>();
        foreach (int size in sorted)
        {
            if (distinct.Count == 0 || distinct[^1] != size)
            {
                distinct.Add(size);
                times.Add(0);
            }

            times[^1]++;
        }

        return ([.. distinct], [.. times]);
    }
}
