namespace Spk.Engine.Clustering;

/// <summary>How far apart two rows are.</summary>
public enum ClusterDistance
{
    /// <summary>Length of the difference.</summary>
    Euclidean,

    /// <summary>1 − cosine of the angle, in [0, 2]; a zero vector is at distance 1 from every other row.</summary>
    Cosine,
}
