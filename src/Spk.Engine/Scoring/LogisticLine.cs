namespace Spk.Engine.Scoring;

/// <summary>
/// Logistic regression of trials on one score: the slope a and intercept b that minimize
/// <c>p · mean over targets of log(1 + e^−(ax + b + logit p)) + (1 − p) · mean over non-targets of log(1 + e^(ax + b + logit p))</c>
/// over standardized scores x. Convex in two unknowns: Newton steps, halved where the loss does not fall.
/// </summary>
internal sealed class LogisticLine
{
    private const double Converged = 1e-10;

    private readonly RankedTrials _trials;
    private readonly double _mean, _deviation, _logit, _ofTarget, _ofNonTarget, _targetTruth, _nonTargetTruth;

    public LogisticLine(RankedTrials trials, double mean, double deviation, double prior, bool smooth)
    {
        (_trials, _mean, _deviation) = (trials, mean, deviation);
        _logit = Math.Log(prior / (1 - prior));
        _ofTarget = prior / trials.Targets;
        _ofNonTarget = (1 - prior) / trials.NonTargets;
        _targetTruth = smooth ? (trials.Targets + 0.5) / (trials.Targets + 1.0) : 1;
        _nonTargetTruth = smooth ? 0.5 / (trials.NonTargets + 1.0) : 0;
    }

    public (double Slope, double Intercept) Solve(int mostSteps)
    {
        (double a, double b) = (0, 0);
        double loss = Loss(a, b);
        for (int step = 0; step < mostSteps; step++)
        {
            var (ga, gb, haa, hab, hbb) = Derivatives(a, b);
            if (Math.Max(Math.Abs(ga), Math.Abs(gb)) < Converged)
            {
                break;
            }

            double determinant = (haa * hbb) - (hab * hab);
            (double da, double db) = (((hbb * ga) - (hab * gb)) / determinant, ((haa * gb) - (hab * ga)) / determinant);
            double share = 1, next = Loss(a - da, b - db);
            while (!(next <= loss) && share > 1e-6)
            {
                share /= 2;
                next = Loss(a - (share * da), b - (share * db));
            }

            if (!(next <= loss))
            {
                break;
            }

            (a, b, loss) = (a - (share * da), b - (share * db), next);
        }

        return (a, b);
    }

    private double Loss(double a, double b)
    {
        double loss = 0;
        for (int i = 0; i < _trials.Count; i++)
        {
            double z = (a * X(i)) + b + _logit;
            var (weight, truth) = Trial(i);
            loss += weight * ((truth * CalibrationMetrics.SoftPlus(-z)) + ((1 - truth) * CalibrationMetrics.SoftPlus(z)));
        }

        return loss;
    }

    private (double A, double B, double AA, double AB, double BB) Derivatives(double a, double b)
    {
        (double ga, double gb, double haa, double hab, double hbb) = (0, 0, 0, 0, 0);
        for (int i = 0; i < _trials.Count; i++)
        {
            double x = X(i), probability = 1 / (1 + Math.Exp(-((a * x) + b + _logit)));
            var (weight, truth) = Trial(i);
            double slope = weight * (probability - truth), curve = weight * probability * (1 - probability);
            ga += slope * x;
            gb += slope;
            haa += curve * x * x;
            hab += curve * x;
            hbb += curve;
        }

        return (ga, gb, haa, hab, hbb);
    }

    private double X(int rank) => (_trials.Scores[rank] - _mean) / _deviation;

    private (double Weight, double Truth) Trial(int rank) =>
        _trials.IsTarget[rank] ? (_ofTarget, _targetTruth) : (_ofNonTarget, _nonTargetTruth);
}
