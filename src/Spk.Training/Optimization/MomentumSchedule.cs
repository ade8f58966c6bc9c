using System.Globalization;
using Spk.Interop;

namespace Spk.Training.Optimization;

/// <summary>
/// Momentum of a teacher or key encoder at every step: constant (MoCo), or rising as a half cosine to 1,
/// 1 − (1 − base) (cos(π · step / steps) + 1)/2 (BYOL, DINO).
/// </summary>
public sealed record MomentumSchedule
{
    /// <summary>Momentum at the start, 0 to 1.</summary>
    public double Base { get; init; } = 0.999;

    /// <summary>Whether it rises to 1.</summary>
    public bool Rises { get; init; }

    /// <summary>Steps of the run, 1 or more.</summary>
    public long TotalSteps { get; init; } = 1;

    /// <summary>Checks every field.</summary>
    /// <exception cref="InvalidOptionException">A field is out of range; the message names it.</exception>
    public void Validate()
    {
        if (!(Base >= 0 && Base <= 1))
        {
            throw new InvalidOptionException($"momentum.base = {Base.ToString(CultureInfo.InvariantCulture)} is out of range: allowed is 0 to 1.");
        }

        if (TotalSteps < 1)
        {
            throw new InvalidOptionException($"momentum.totalSteps = {TotalSteps.ToString(CultureInfo.InvariantCulture)} is out of range: it must be 1 or more.");
        }
    }

    /// <summary>Momentum of one step.</summary>
    /// <param name="step">0 for the first; beyond the run it is 1 if it rises.</param>
    /// <returns><see cref="Base"/> to 1.</returns>
    public double At(long step)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(step);
        double done = Math.Min(1, (double)step / TotalSteps);
        return Rises ? 1 - ((1 - Base) * (Math.Cos(Math.PI * done) + 1) / 2) : Base;
    }
}
