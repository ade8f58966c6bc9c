using Spk.Interop;

namespace Spk.Engine.Scoring;

/// <summary>How good scores are as log-likelihood ratios (natural logarithm; positive speaks for the same speaker).</summary>
/// <remarks>Brümmer and du Preez, "Application-independent evaluation of speaker detection", Computer Speech and Language 20, 2006.</remarks>
public static class CalibrationMetrics
{
    /// <summary>
    /// Cost of log-likelihood ratios: <c>½ [mean log₂(1 + e^−l) over targets + mean log₂(1 + e^l) over non-targets]</c>.
    /// </summary>
    /// <param name="ratios">One log-likelihood ratio a trial.</param>
    /// <param name="isTarget">One label a trial; both kinds must occur.</param>
    /// <returns>Bits: 0 is perfect, 1 what ratios of 0 give; more is worse than knowing nothing.</returns>
    /// <exception cref="ShapeException">The lengths differ.</exception>
    /// <exception cref="DataFormatException">One kind of trial is missing.</exception>
    public static double Cllr(ReadOnlySpan<double> ratios, ReadOnlySpan<bool> isTarget)
    {
        (int targets, int nonTargets) = Count(ratios.Length, isTarget);
        double ofTargets = 0, ofNonTargets = 0;
        for (int i = 0; i < ratios.Length; i++)
        {
            if (isTarget[i])
            {
                ofTargets += SoftPlus(-ratios[i]);
            }
            else
            {
                ofNonTargets += SoftPlus(ratios[i]);
            }
        }

        return ((ofTargets / targets) + (ofNonTargets / nonTargets)) / (2 * Math.Log(2));
    }

    /// <summary>
    /// The least <see cref="Cllr"/> that any rising function of the scores reaches (isotonic regression by pooling adjacent
    /// violators): what is lost in telling speakers apart; the rest of a Cllr is lost by calibration.
    /// </summary>
    /// <param name="ranked">The trials, sorted.</param>
    /// <returns>Bits, 0 to 1.</returns>
    public static double MinCllr(RankedTrials ranked)
    {
        ArgumentNullException.ThrowIfNull(ranked);
        int targets = ranked.Targets, nonTargets = ranked.NonTargets;
        var pools = new List<(int Targets, int NonTargets)>();
        int rank = 0;
        foreach (int end in ranked.TieEnds)
        {
            (int t, int n) = (0, 0);
            for (; rank < end; rank++)
            {
                _ = ranked.IsTarget[rank] ? t++ : n++;
            }

            // A pool whose share of targets is not above that of the pool below it joins that pool.
            while (pools.Count > 0 && (long)pools[^1].Targets * (t + n) >= (long)t * (pools[^1].Targets + pools[^1].NonTargets))
            {
                (t, n) = (t + pools[^1].Targets, n + pools[^1].NonTargets);
                pools.RemoveAt(pools.Count - 1);
            }

            pools.Add((t, n));
        }

        double prior = Math.Log((double)targets / nonTargets), sum = 0;
        foreach (var (t, n) in pools)
        {
            // Pools of one kind have an infinite ratio of the right sign, which costs nothing.
            if (t > 0 && n > 0)
            {
                double ratio = Math.Log((double)t / n) - prior;
                sum += (t * SoftPlus(-ratio) / targets) + (n * SoftPlus(ratio) / nonTargets);
            }
        }

        return sum / (2 * Math.Log(2));
    }

    /// <summary>
    /// Normalized detection cost of the decisions that the ratios themselves imply: accept where l is at least
    /// <see cref="DetectionCost.Threshold"/>. Above minDCF by what calibration loses.
    /// </summary>
    /// <param name="ratios">One log-likelihood ratio a trial.</param>
    /// <param name="isTarget">One label a trial; both kinds must occur.</param>
    /// <param name="cost">Prior and costs.</param>
    /// <returns>0 or more; 1 is a trivial decision.</returns>
    /// <exception cref="ShapeException">The lengths differ.</exception>
    /// <exception cref="DataFormatException">One kind of trial is missing.</exception>
    /// <exception cref="InvalidOptionException">The prior or a cost is out of range.</exception>
    public static double ActualDcf(ReadOnlySpan<double> ratios, ReadOnlySpan<bool> isTarget, DetectionCost cost)
    {
        cost.Validate();
        (int targets, int nonTargets) = Count(ratios.Length, isTarget);
        double threshold = cost.Threshold;
        int missed = 0, accepted = 0;
        for (int i = 0; i < ratios.Length; i++)
        {
            bool accept = ratios[i] >= threshold;
            missed += isTarget[i] && !accept ? 1 : 0;
            accepted += !isTarget[i] && accept ? 1 : 0;
        }

        return cost.At((double)accepted / nonTargets, (double)missed / targets);
    }

    /// <summary>log(1 + eˣ) without overflow.</summary>
    internal static double SoftPlus(double x) => Math.Max(x, 0) + Math.Log(1 + Math.Exp(-Math.Abs(x)));

    private static (int Targets, int NonTargets) Count(int trials, ReadOnlySpan<bool> isTarget)
    {
        if (isTarget.Length != trials)
        {
            throw new ShapeException($"there are {trials} scores but {isTarget.Length} labels: every trial needs one of each.");
        }

        int targets = isTarget.Count(true);
        return targets > 0 && targets < trials
            ? (targets, trials - targets)
            : throw new DataFormatException($"there are {targets} target and {trials - targets} non-target trials: calibration needs both kinds.");
    }
}
