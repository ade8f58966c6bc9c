using Spk.Interop;

namespace Spk.Engine.Scoring;

/// <summary>
/// Error rates of a speaker verification test. Operating points are taken at the distinct scores, so equal scores move
/// together and the order of the trials never matters; all rates are fractions.
/// </summary>
/// <remarks>
/// Point k accepts scores of at least the k-th lowest distinct score; the last point rejects everything. FRR rises and FAR
/// falls with k. Two tools differ in the second decimal of an EER because of ties and interpolation: see
/// <see cref="Eer"/>, <see cref="EerClosest"/> and <see cref="EerConvexHull"/>.
/// </remarks>
public sealed class VerificationMetrics
{
    private readonly float[] _thresholds;
    private readonly int[] _missed;
    private readonly int[] _accepted;

    private VerificationMetrics(RankedTrials ranked)
    {
        Targets = ranked.Targets;
        NonTargets = ranked.NonTargets;
        int groups = ranked.TieEnds.Length;
        _thresholds = new float[groups];
        _missed = new int[groups + 1];
        _accepted = new int[groups + 1];
        _accepted[0] = NonTargets;
        int rank = 0;
        for (int k = 0; k < groups; k++)
        {
            _thresholds[k] = ranked.Scores[rank];
            (_missed[k + 1], _accepted[k + 1]) = (_missed[k], _accepted[k]);
            for (; rank < ranked.TieEnds[k]; rank++)
            {
                _ = ranked.IsTarget[rank] ? _missed[k + 1]++ : _accepted[k + 1]--;
            }
        }

        int crossing = 0, closest = 0;
        while (Frr(crossing) < Far(crossing))
        {
            crossing++;
        }

        for (int k = 1; k <= groups; k++)
        {
            closest = Math.Abs(Frr(k) - Far(k)) < Math.Abs(Frr(closest) - Far(closest)) ? k : closest;
        }

        Eer = RankedTrials.Crossing(Far(crossing - 1), Frr(crossing - 1), Far(crossing), Frr(crossing));
        ClosestPoint = Point(closest);
        EerThreshold = Between(closest);
        EerConvexHull = HullCrossing();
    }

    /// <summary>Number of target trials.</summary>
    public int Targets { get; }

    /// <summary>Number of non-target trials.</summary>
    public int NonTargets { get; }

    /// <summary>Number of operating points: distinct scores and the one that rejects everything.</summary>
    public int PointCount => _missed.Length;

    /// <summary>
    /// Equal error rate: where FAR = FRR on the straight line between the last point with FRR below FAR and the next one.
    /// This is the value to report.
    /// </summary>
    public double Eer { get; }

    /// <summary>Mean of FAR and FRR at <see cref="ClosestPoint"/>; differs from <see cref="Eer"/> by less than 1/min(targets, non-targets).</summary>
    public double EerClosest => (ClosestPoint.Far + ClosestPoint.Frr) / 2;

    /// <summary>Equal error rate on the lower convex hull of the operating points (ROCCH-EER); not above <see cref="Eer"/>.</summary>
    public double EerConvexHull { get; }

    /// <summary>The first operating point with the smallest difference of FAR and FRR.</summary>
    public OperatingPoint ClosestPoint { get; }

    /// <summary>
    /// A decision threshold with the rates of <see cref="ClosestPoint"/>: halfway to the next lower score, so that rounding of a
    /// score does not change its decision.
    /// </summary>
    public double EerThreshold { get; }

    /// <summary>Computes the operating points of a list of scored trials in O(n log n).</summary>
    /// <param name="scores">One finite score per trial; higher means more likely the same speaker.</param>
    /// <param name="isTarget">One label per trial; both kinds must occur.</param>
    /// <returns>The metrics.</returns>
    /// <inheritdoc cref="RankedTrials.Rank" path="/exception"/>
    public static VerificationMetrics Compute(ReadOnlySpan<float> scores, ReadOnlySpan<bool> isTarget) =>
        new(RankedTrials.Rank(scores, isTarget));

    /// <summary>Computes the operating points of trials that are sorted already.</summary>
    /// <param name="ranked">The trials.</param>
    /// <returns>The metrics.</returns>
    public static VerificationMetrics Compute(RankedTrials ranked)
    {
        ArgumentNullException.ThrowIfNull(ranked);
        return new VerificationMetrics(ranked);
    }

    /// <summary>An operating point.</summary>
    /// <param name="index">0 (accept everything) to <see cref="PointCount"/> − 1 (reject everything).</param>
    public OperatingPoint Point(int index) =>
        new(index < _thresholds.Length ? _thresholds[index] : double.PositiveInfinity, Far(index), Frr(index));

    /// <summary>The smallest normalized detection cost over all operating points.</summary>
    /// <param name="targetPrior">Prior probability of a target trial, in (0, 1); 0.01 and 0.05 are usual.</param>
    /// <param name="missCost">Cost of rejecting a target, above 0.</param>
    /// <param name="falseAlarmCost">Cost of accepting a non-target, above 0.</param>
    /// <returns>A number of [0, 1]; 1 is no better than a trivial decision.</returns>
    /// <exception cref="InvalidOptionException">The prior or a cost is out of range.</exception>
    public double MinDcf(double targetPrior, double missCost = 1, double falseAlarmCost = 1) =>
        MinDcfPoint(new DetectionCost(targetPrior, missCost, falseAlarmCost), out _);

    /// <summary>The smallest normalized detection cost and where it is reached.</summary>
    /// <param name="cost">Prior and costs.</param>
    /// <param name="point">The first operating point that reaches it.</param>
    /// <returns>A number of [0, 1].</returns>
    /// <exception cref="InvalidOptionException">The prior or a cost is out of range.</exception>
    public double MinDcfPoint(DetectionCost cost, out OperatingPoint point)
    {
        cost.Validate();
        int best = 0;
        double least = cost.At(Far(0), Frr(0));
        for (int k = 1; k < PointCount; k++)
        {
            double value = cost.At(Far(k), Frr(k));
            if (value < least)
            {
                (best, least) = (k, value);
            }
        }

        point = Point(best);
        return least;
    }

    /// <summary>Whether there are enough non-target trials (10 / FAR) to measure at a false acceptance rate.</summary>
    /// <param name="far">False acceptance rate, a fraction above 0.</param>
    public bool CanMeasureFar(double far) => far is > 0 and <= 1 && NonTargets >= 10 / far;

    /// <summary>False rejection rate at a false acceptance rate, linearly interpolated between operating points.</summary>
    /// <param name="far">False acceptance rate, a fraction of (0, 1].</param>
    /// <returns>A fraction.</returns>
    /// <exception cref="InvalidOptionException">The rate is out of range, or too small for the number of non-target trials.</exception>
    public double FrrAtFar(double far)
    {
        int low = FirstWithin(far);
        if (low == 0)
        {
            return 0;
        }

        double share = (Far(low - 1) - far) / (Far(low - 1) - Far(low));
        return Frr(low - 1) + (share * (Frr(low) - Frr(low - 1)));
    }

    /// <summary>The smallest decision threshold whose false acceptance rate is no higher than wanted.</summary>
    /// <param name="far">False acceptance rate, a fraction of (0, 1].</param>
    /// <returns>
    /// A score halfway between two neighbouring ones, so that rounding of a score does not change its decision, and the rates there.
    /// </returns>
    /// <exception cref="InvalidOptionException">The rate is out of range, or too small for the number of non-target trials.</exception>
    public OperatingPoint ThresholdAtFar(double far)
    {
        int k = FirstWithin(far);
        return Point(k) with { Threshold = Between(k) };
    }

    /// <summary>The points of a detection error trade-off curve: all with both rates strictly between 0 and 1.</summary>
    /// <returns>Points by falling FAR; empty where the two kinds of trial do not overlap.</returns>
    /// <remarks>Martin et al., "The DET curve in assessment of detection task performance", Eurospeech 1997.</remarks>
    public IReadOnlyList<OperatingPoint> DetPoints()
    {
        var points = new List<OperatingPoint>();
        for (int k = 0; k < PointCount; k++)
        {
            if (_missed[k] > 0 && _accepted[k] > 0 && _missed[k] < Targets && _accepted[k] < NonTargets)
            {
                points.Add(Point(k));
            }
        }

        return points;
    }

    // The first operating point whose FAR is within the limit.
    private int FirstWithin(double far)
    {
        if (!CanMeasureFar(far))
        {
            throw new InvalidOptionException(
                $"FRR at FAR {far} cannot be measured on {NonTargets} non-target trials: the rate lies in (0, 1] and needs at least {Math.Ceiling(10 / Math.Abs(far)):0} of them.");
        }

        // FAR never rises with k, so the first point within the limit is found by bisection; the last one has FAR 0.
        int low = 0, high = PointCount - 1;
        while (low < high)
        {
            int middle = (low + high) / 2;
            (low, high) = Far(middle) <= far ? (low, middle) : (middle + 1, high);
        }

        return low;
    }

    private double Far(int k) => (double)_accepted[k] / NonTargets;

    private double Frr(int k) => (double)_missed[k] / Targets;

    private double Between(int k) => k == 0
        ? _thresholds[0]
        : k == _thresholds.Length ? Math.BitIncrement((double)_thresholds[^1]) : ((double)_thresholds[k - 1] + _thresholds[k]) / 2;

    /// <summary>FAR = FRR on the lower convex hull (monotone chain over the points by rising FAR).</summary>
    private double HullCrossing()
    {
        var hull = new List<(double X, double Y)>();
        for (int k = PointCount - 1; k >= 0; k--)
        {
            (double x, double y) = (Far(k), Frr(k));
            while (hull.Count >= 2 && !TurnsUp(hull[^2], hull[^1], (x, y)))
            {
                hull.RemoveAt(hull.Count - 1);
            }

            hull.Add((x, y));
        }

        int after = hull.FindIndex(p => p.X >= p.Y);
        if (after == 0)
        {
            return hull[0].X;
        }

        var (p0, p1) = (hull[after - 1], hull[after]);
        double share = (p0.Y - p0.X) / (p1.X - p0.X - (p1.Y - p0.Y));
        return p0.X + (share * (p1.X - p0.X));
    }

    private static bool TurnsUp((double X, double Y) a, (double X, double Y) b, (double X, double Y) c) =>
        ((b.X - a.X) * (c.Y - a.Y)) - ((b.Y - a.Y) * (c.X - a.X)) > 0;
}
