namespace Spk.Training;

/// <summary>Counts evaluations without improvement.</summary>
/// <param name="Best">Lowest development EER so far, a fraction; positive infinity before the first.</param>
/// <param name="BestStep">Step of the best.</param>
/// <param name="Stale">Evaluations since the best.</param>
internal readonly record struct EarlyStop(double Best, long BestStep, int Stale)
{
    public static EarlyStop Start => new(double.PositiveInfinity, 0, 0);

    /// <summary>The state after one more evaluation.</summary>
    public EarlyStop Next(double eer, long step) => eer < Best ? new EarlyStop(eer, step, 0) : this with { Stale = Stale + 1 };

    /// <summary>Whether training should end. A patience of 0 never ends it.</summary>
    public bool IsOver(int patience) => patience > 0 && Stale >= patience;
}
