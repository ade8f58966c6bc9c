using System.Globalization;
using Spk.Interop;

namespace Spk.Training.Optimization;

/// <summary>
/// Margin of every epoch: constant, or rising as a half cosine from 0 to its value over the first half of the run
/// (m(e) = m − m (cos(π e / h) + 1)/2 up to epoch h = ⌊epochs/2⌋, then m).
/// </summary>
public sealed record MarginSchedule
{
    /// <summary>The margin, or the one reached at half of the run; 0 or more.</summary>
    public double Margin { get; init; }

    /// <summary>Whether it rises from 0.</summary>
    public bool Rises { get; init; }

    /// <summary>Epochs of the run, 1 or more.</summary>
    public int Epochs { get; init; } = 1;

    /// <summary>Checks every field.</summary>
    /// <exception cref="InvalidOptionException">A field is out of range; the message names it.</exception>
    public void Validate()
    {
        if (!(Margin >= 0) || !double.IsFinite(Margin))
        {
            throw new InvalidOptionException($"margin = {Margin.ToString(CultureInfo.InvariantCulture)} is out of range: it must be 0 or more.");
        }

        if (Epochs < 1)
        {
            throw new InvalidOptionException($"epochs = {Epochs.ToString(CultureInfo.InvariantCulture)} is out of range: it must be 1 or more.");
        }
    }

    /// <summary>Margin of one epoch.</summary>
    /// <param name="epoch">0 for the first.</param>
    /// <returns>0 to <see cref="Margin"/>.</returns>
    public double At(int epoch)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(epoch);
        int half = Epochs / 2;
        return !Rises || half == 0 || epoch > half ? Margin : Margin - (Margin * (Math.Cos(Math.PI * epoch / half) + 1) / 2);
    }
}
