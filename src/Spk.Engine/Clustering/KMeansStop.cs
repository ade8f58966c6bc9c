namespace Spk.Engine.Clustering;

/// <summary>Why an optimisation ended.</summary>
public enum KMeansStop
{
    /// <summary>No row changed its cluster: the result is a fixed point.</summary>
    Converged,

    /// <summary>The objective fell by less than <see cref="KMeansOptions.Tolerance"/> in an iteration.</summary>
    Tolerance,

    /// <summary><see cref="KMeansOptions.MaximumIterations"/> were made.</summary>
    MaximumIterations,

    /// <summary><see cref="KMeansOptions.MaximumTime"/> had passed.</summary>
    MaximumTime,
}
