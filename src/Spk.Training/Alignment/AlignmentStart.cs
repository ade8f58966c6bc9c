namespace Spk.Training.Alignment;

/// <summary>What the networks of an alignment are before training.</summary>
public enum AlignmentStart
{
    /// <summary>The rotation that brings both spaces closest to each other (orthogonal Procrustes).</summary>
    Procrustes,

    /// <summary>The identity; where the sizes differ, cut off or filled up with zeros.</summary>
    Identity,

    /// <summary>Random weights.</summary>
    Random,
}
