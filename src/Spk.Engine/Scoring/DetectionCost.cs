namespace Spk.Engine.Scoring;

/// <summary>
/// Parameters of the detection cost of the NIST speaker recognition evaluations:
/// <c>C(t) = missCost · p · FRR(t) + falseAlarmCost · (1 − p) · FAR(t)</c>, divided by the cost of the better of the two
/// trivial decisions, so that 1 is a detector that knows nothing.
/// </summary>
/// <param name="TargetPrior">p, the prior probability of a target trial, in (0, 1).</param>
/// <param name="MissCost">Cost of rejecting a target, above 0.</param>
/// <param name="FalseAlarmCost">Cost of accepting a non-target, above 0.</param>
public readonly record struct DetectionCost(double TargetPrior, double MissCost = 1, double FalseAlarmCost = 1)
{
    /// <summary>Prior 0.01, unit costs: the usual operating point of VoxCeleb results.</summary>
    public static DetectionCost Prior01 => new(0.01);

    /// <summary>Prior 0.05, unit costs.</summary>
    public static DetectionCost Prior05 => new(0.05);

    /// <summary>The normalized cost of a pair of error rates.</summary>
    /// <param name="far">False acceptance rate, a fraction.</param>
    /// <param name="frr">False rejection rate, a fraction.</param>
    /// <returns>The cost relative to the better trivial decision.</returns>
    public double At(double far, double frr)
    {
        double miss = MissCost * TargetPrior, falseAlarm = FalseAlarmCost * (1 - TargetPrior);
        return ((miss * frr) + (falseAlarm * far)) / Math.Min(miss, falseAlarm);
    }

    /// <summary>
    /// The log-likelihood ratio (natural logarithm) from which on accepting costs less than rejecting:
    /// <c>log(falseAlarmCost · (1 − p) / (missCost · p))</c>.
    /// </summary>
    public double Threshold => Math.Log(FalseAlarmCost * (1 - TargetPrior) / (MissCost * TargetPrior));

    internal void Validate()
    {
        if (!(TargetPrior is > 0 and < 1) || !(MissCost > 0) || !(FalseAlarmCost > 0) || !double.IsFinite(MissCost + FalseAlarmCost))
        {
            throw new Interop.InvalidOptionException(
                $"detection cost: target prior {TargetPrior} and costs {MissCost}, {FalseAlarmCost} are not usable; the prior lies in (0, 1) and costs are above 0.");
        }
    }
}
