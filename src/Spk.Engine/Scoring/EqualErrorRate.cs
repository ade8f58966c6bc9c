namespace Spk.Engine.Scoring;

/// <summary>
/// The equal error rate alone, in linear time and half a megabyte, for so many trials that sorting them takes longer than scoring them: every
/// pair of ten thousand recordings are a hundred million. Exactly <see cref="VerificationMetrics.Eer"/>.
/// </summary>
public static class EqualErrorRate
{
    // Scores in an order-preserving encoding of 32 bits: counted by the upper half, and those about the crossing by the lower half.
    private const int HalfBits = 16, Buckets = 1 << HalfBits;

    /// <summary>Computes it in two passes over the trials.</summary>
    /// <param name="scores">One finite score per trial; higher means more likely the same speaker.</param>
    /// <param name="isTarget">One label per trial; both kinds must occur.</param>
    /// <returns>A fraction.</returns>
    /// <inheritdoc cref="RankedTrials.Rank" path="/exception"/>
    public static double Compute(ReadOnlySpan<float> scores, ReadOnlySpan<bool> isTarget)
    {
        RankedTrials.Check(scores.Length, isTarget, out int targets);
        int nonTargets = scores.Length - targets;
        var counts = new Counts(Buckets);
        for (int i = 0; i < scores.Length && i < isTarget.Length; i++)
        {
            RankedTrials.CheckFinite(scores, i);
            counts.Add((int)(RankedTrials.Ascending(scores[i]) >> HalfBits), isTarget[i]);
        }

        // The bucket in which FRR comes to reach FAR, and what lies below it.
        int missed = 0, rejected = 0, crossing = 0;
        while ((double)(missed + counts.Targets(crossing)) / targets < (double)(nonTargets - rejected - counts.NonTargets(crossing)) / nonTargets)
        {
            (missed, rejected) = (missed + counts.Targets(crossing), rejected + counts.NonTargets(crossing));
            crossing++;
        }

        counts.Clear();
        for (int i = 0; i < scores.Length && i < isTarget.Length; i++)
        {
            uint key = RankedTrials.Ascending(scores[i]);
            if (key >> HalfBits == crossing)
            {
                counts.Add((int)(key & (Buckets - 1)), isTarget[i]);
            }
        }

        double far = (double)(nonTargets - rejected) / nonTargets, frr = (double)missed / targets;
        for (int bucket = 0; ; bucket++)
        {
            if (counts.Targets(bucket) + counts.NonTargets(bucket) == 0)
            {
                continue;
            }

            (missed, rejected) = (missed + counts.Targets(bucket), rejected + counts.NonTargets(bucket));
            double nextFar = (double)(nonTargets - rejected) / nonTargets, nextFrr = (double)missed / targets;
            if (nextFrr >= nextFar)
            {
                return RankedTrials.Crossing(far, frr, nextFar, nextFrr);
            }

            (far, frr) = (nextFar, nextFrr);
        }
    }

    private readonly struct Counts(int buckets)
    {
        private readonly int[] _counts = new int[2 * buckets];

        public void Add(int bucket, bool isTarget) => _counts[(2 * bucket) + (isTarget ? 1 : 0)]++;

        public int Targets(int bucket) => _counts[(2 * bucket) + 1];

        public int NonTargets(int bucket) => _counts[2 * bucket];

        public void Clear() => Array.Clear(_counts);
    }
}
