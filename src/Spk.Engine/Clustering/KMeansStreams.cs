namespace Spk.Engine.Clustering;

/// <summary>"Epochs" of the random stream of clustering: one range for each use, so that no two uses share numbers.</summary>
internal static class KMeansStreams
{
    public const long Initialization = 0;
    public const long Candidates = 1 << 28;
    public const long Split = 2 << 28;
    public const long Sample = 3 << 28;
    public const long Batch = 4L << 28;
}
