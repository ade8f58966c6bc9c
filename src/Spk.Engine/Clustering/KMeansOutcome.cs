namespace Spk.Engine.Clustering;

/// <summary>How one start ended.</summary>
internal sealed class KMeansOutcome(List<double> inertiaPerIteration, KMeansStop stop)
{
    public List<double> InertiaPerIteration { get; } = inertiaPerIteration;

    public KMeansStop Stop { get; } = stop;

    /// <summary>Objective of the final labels and centroids.</summary>
    public double Inertia { get; set; }
}
