namespace Spk.Engine.Clustering;

/// <summary>One descent of k-means after another, of which <see cref="KMeans"/> keeps the best: by one process, or by several that share the rows.</summary>
internal unsafe interface IKMeansDescent
{
    int Dimension { get; }

    /// <summary>Whether no further descent is to begin.</summary>
    bool TimeIsUp { get; }

    /// <summary>Descends from given centroids or from its own.</summary>
    KMeansOutcome Optimize(int restart, bool given, float* centroids, int* labels, float* distances);

    /// <summary>Labels and distances of the rows for other centroids.</summary>
    void Label(float* centroids, int* labels, float* distances);
}
