namespace Spk.Training.Alignment;

/// <summary>An epoch of an alignment that is over.</summary>
/// <param name="Epoch">From 1; 0 is before training.</param>
/// <param name="Loss">Mean loss of the epoch; NaN before training.</param>
/// <param name="Frr">False rejection rate of the held-back speakers at <see cref="AlignmentSpec.TargetFar"/>; null where none were held back.</param>
public readonly record struct AlignmentProgress(int Epoch, double Loss, double? Frr);
