using System.Diagnostics.CodeAnalysis;
using Spk.Interop;

namespace Spk.Engine.Scoring;

/// <summary>
/// Trials sorted once by score, with equal scores grouped, so that error rates under many weightings (a bootstrap) cost one
/// pass each. Sorting is O(n log n); the result does not depend on the order in which trials are given.
/// </summary>
public sealed class RankedTrials
{
    private readonly int[] _order;
    private readonly float[] _scores;
    private readonly bool[] _isTarget;
    private readonly int[] _tieEnds;

    private RankedTrials(int[] order, float[] scores, bool[] isTarget, int[] tieEnds, int targets)
    {
        (_order, _scores, _isTarget, _tieEnds) = (order, scores, isTarget, tieEnds);
        Targets = targets;
    }

    /// <summary>Number of trials.</summary>
    public int Count => _order.Length;

    /// <summary>Number of target trials.</summary>
    public int Targets { get; }

    /// <summary>Number of non-target trials.</summary>
    public int NonTargets => Count - Targets;

    /// <summary>Positions in the given list, from the lowest score to the highest; equal scores in the order given.</summary>
    public ReadOnlySpan<int> Order => _order;

    /// <summary>Scores in ascending order.</summary>
    public ReadOnlySpan<float> Scores => _scores;

    /// <summary>Labels in the order of <see cref="Scores"/>.</summary>
    public ReadOnlySpan<bool> IsTarget => _isTarget;

    /// <summary>One position past the last trial of each group of equal scores, ascending.</summary>
    public ReadOnlySpan<int> TieEnds => _tieEnds;

    /// <summary>Sorts a list of trials.</summary>
    /// <param name="scores">One finite score per trial; higher means more likely the same speaker.</param>
    /// <param name="isTarget">One label per trial; both classes must occur.</param>
    /// <returns>The sorted trials; the arguments are not kept.</returns>
    /// <exception cref="ShapeException">The two lists differ in length.</exception>
    /// <exception cref="NonFiniteException">A score is NaN or infinite; the message names the trial.</exception>
    /// <exception cref="DataFormatException">All trials are targets or all are non-targets.</exception>
    public static RankedTrials Rank(ReadOnlySpan<float> scores, ReadOnlySpan<bool> isTarget)
    {
        int n = scores.Length;
        Check(n, isTarget, out int targets);

        // One 64-bit key a trial: the score in an order-preserving encoding above its position. Sorting plain integers is
        // several times faster than sorting pairs, and ties fall into the order given.
        var keys = new ulong[n];
        for (int i = 0; i < n; i++)
        {
            CheckFinite(scores, i);
            keys[i] = ((ulong)Ascending(scores[i]) << 32) | (uint)i;
        }

        Array.Sort(keys);
        var order = new int[n];
        var sorted = new float[n];
        var labels = new bool[n];
        var ends = new List<int>();
        for (int rank = 0; rank < n; rank++)
        {
            int trial = (int)(uint)keys[rank];
            order[rank] = trial;
            sorted[rank] = scores[trial];
            labels[rank] = isTarget[trial];
            if (rank > 0 && sorted[rank] != sorted[rank - 1])
            {
                ends.Add(rank);
            }
        }

        ends.Add(n);
        return new RankedTrials(order, sorted, labels, [.. ends], targets);
    }

    /// <summary>Error rates when every trial counts several times, or not at all.</summary>
    /// <param name="weights">How often each trial counts, in the order of <see cref="Order"/>; not negative.</param>
    /// <param name="costs">Detection costs to minimize.</param>
    /// <param name="minimumCosts">Receives the normalized minimum of each of <paramref name="costs"/>.</param>
    /// <returns>
    /// The interpolated equal error rate, as <see cref="VerificationMetrics.Eer"/>; NaN (and NaN costs) where all weight lies on
    /// one kind of trial.
    /// </returns>
    public double Weighted(ReadOnlySpan<int> weights, ReadOnlySpan<DetectionCost> costs, Span<double> minimumCosts)
    {
        if (weights.Length != Count || minimumCosts.Length != costs.Length)
        {
            throw new ShapeException($"{weights.Length} weights for {Count} trials, room for {minimumCosts.Length} of {costs.Length} costs: each pair must agree.");
        }

        long targets = 0, nonTargets = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            long weight = weights[i];
            targets += _isTarget[i] ? weight : 0;
            nonTargets += _isTarget[i] ? 0 : weight;
        }

        if (targets == 0 || nonTargets == 0)
        {
            minimumCosts.Fill(double.NaN);
            return double.NaN;
        }

        // Operating point 0 accepts everything; the point after a group of ties rejects that group and all below it.
        double eer = double.NaN, previousFar = 1, previousFrr = 0;
        for (int c = 0; c < costs.Length; c++)
        {
            minimumCosts[c] = costs[c].At(1, 0);
        }

        long missed = 0, accepted = nonTargets;
        int rank = 0;
        foreach (int end in _tieEnds)
        {
            for (; rank < end; rank++)
            {
                int weight = weights[rank];
                missed += _isTarget[rank] ? weight : 0;
                accepted -= _isTarget[rank] ? 0 : weight;
            }

            double far = (double)accepted / nonTargets, frr = (double)missed / targets;
            for (int c = 0; c < costs.Length; c++)
            {
                minimumCosts[c] = Math.Min(minimumCosts[c], costs[c].At(far, frr));
            }

            if (double.IsNaN(eer) && frr >= far)
            {
                eer = Crossing(previousFar, previousFrr, far, frr);
                if (costs.IsEmpty)
                {
                    break;
                }
            }

            (previousFar, previousFrr) = (far, frr);
        }

        return eer;
    }

    /// <summary>False rejection rate at a false acceptance rate when every trial counts several times, or not at all.</summary>
    /// <param name="weights">How often each trial counts, in the order of <see cref="Order"/>; not negative.</param>
    /// <param name="far">False acceptance rate, a fraction of (0, 1).</param>
    /// <returns>
    /// The interpolated rate, as <see cref="VerificationMetrics.FrrAtFar"/>; NaN without target weight, and with less non-target weight than 10 / FAR.
    /// </returns>
    public double WeightedFrr(ReadOnlySpan<int> weights, double far)
    {
        if (weights.Length != Count)
        {
            throw new ShapeException($"{weights.Length} weights for {Count} trials: every trial needs one.");
        }

        long targets = 0, nonTargets = 0;
        for (int i = 0; i < weights.Length; i++)
        {
            long weight = weights[i];
            targets += _isTarget[i] ? weight : 0;
            nonTargets += _isTarget[i] ? 0 : weight;
        }

        if (targets == 0 || nonTargets < 10 / far)
        {
            return double.NaN;
        }

        double previousFar = 1, previousFrr = 0;
        long missed = 0, accepted = nonTargets;
        int rank = 0;
        foreach (int end in _tieEnds)
        {
            for (; rank < end; rank++)
            {
                int weight = weights[rank];
                missed += _isTarget[rank] ? weight : 0;
                accepted -= _isTarget[rank] ? 0 : weight;
            }

            double reached = (double)accepted / nonTargets, frr = (double)missed / targets;
            if (reached <= far)
            {
                return previousFrr + ((previousFar - far) / (previousFar - reached) * (frr - previousFrr));
            }

            (previousFar, previousFrr) = (reached, frr);
        }

        return 1;
    }

    /// <summary>Where FAR = FRR on the line between two neighbouring operating points that lie on either side of it.</summary>
    internal static double Crossing(double far0, double frr0, double far1, double frr1)
    {
        double before = frr0 - far0, after = frr1 - far1;
        return after == 0 ? frr1 : frr0 - (before / (after - before) * (frr1 - frr0));
    }

    /// <summary>Both kinds of trials must occur, and every trial has a label.</summary>
    internal static void Check(int n, ReadOnlySpan<bool> isTarget, out int targets)
    {
        if (isTarget.Length != n)
        {
            throw new ShapeException($"there are {n} scores but {isTarget.Length} labels: every trial needs one of each.");
        }

        targets = isTarget.Count(true);
        if (targets == 0 || targets == n)
        {
            string missing = n == 0 ? "is empty" : targets == 0 ? "has no target (same-speaker) trial" : "has no non-target (different-speaker) trial";
            throw new DataFormatException($"the trial list {missing} ({n} trials): error rates need trials of both kinds.");
        }
    }

    internal static void CheckFinite(ReadOnlySpan<float> scores, int i)
    {
        if (!float.IsFinite(scores[i]))
        {
            ThrowNotFinite(i, scores.Length, scores[i]);
        }
    }

    // On its own, so that the check is inlined into loops over all trials.
    [DoesNotReturn]
    private static void ThrowNotFinite(int trial, int count, float score) =>
        throw new NonFiniteException($"the score of trial {trial + 1} of {count} is {score}: check the embeddings of its two utterances.");

    /// <summary>Maps finite floats to unsigned integers of the same order; both zeros map to one value.</summary>
    internal static uint Ascending(float score)
    {
        // Negative numbers fall with their bits, so those are turned round; without a branch, for signs are hard to foresee.
        int bits = BitConverter.SingleToInt32Bits(score + 0f);
        return (uint)bits ^ ((uint)(bits >> 31) | 0x8000_0000);
    }
}
