namespace Spk.Engine.Clustering;

/// <summary>One problem of a <see cref="KMeansLockstep"/>: where it stands in the present start, and the best start so far.</summary>
internal sealed unsafe class KMeansDescent
{
    /// <summary>Begins nothing yet.</summary>
    /// <param name="data">The rows, which stay where they are.</param>
    /// <param name="options">Of this problem: K and the seed are its own.</param>
    /// <param name="initial">[K, D], or empty for centroids of its own.</param>
    public KMeansDescent(in KMeansData data, KMeansOptions options, ReadOnlySpan<float> initial)
    {
        (Data, Options, IsGiven) = (data, options, !initial.IsEmpty);
        Centroids = new float[(long)options.Clusters * data.Dimension];
        Labels = new int[data.Count];
        Distances = new float[data.Count];
        fixed (float* centroids = Centroids)
        {
            KMeans.WriteInitial(initial, data.Dimension, options.Metric, centroids);
        }
    }

    public KMeansData Data { get; }

    public KMeansOptions Options { get; }

    /// <summary>Whether <see cref="Centroids"/> came with those to start from.</summary>
    public bool IsGiven { get; }

    /// <summary>[K, D]: of the best start, once there is one.</summary>
    public float[] Centroids { get; }

    /// <summary>[N], once the whole run is over.</summary>
    public int[] Labels { get; }

    /// <summary>[N]: as <see cref="Labels"/>, and where empty clusters are to be filled.</summary>
    public float[] Distances { get; }

    /// <summary>[K]: rows of the clusters in the last iteration; zeros before the first.</summary>
    public int[] Counts { get; private set; } = [];

    /// <summary>Objective of each iteration of the present start.</summary>
    public List<double> Inertia { get; private set; } = [];

    /// <summary>How the present start ended; null while it has not.</summary>
    public KMeansOutcome? Outcome { get; set; }

    /// <summary>How the best start ended.</summary>
    public KMeansOutcome? Best { get; private set; }

    /// <summary>Which start that was.</summary>
    public int Winner { get; private set; }

    /// <summary>Begins a start.</summary>
    public void Begin() => (Counts, Inertia, Outcome) = (new int[Options.Clusters], [], null);

    /// <summary>Whether the present start, which has ended, is the best so far.</summary>
    public bool Improves(int restart)
    {
        if (Best is not null && !(Outcome!.Inertia < Best.Inertia))
        {
            return false;
        }

        (Best, Winner) = (Outcome, restart);
        return true;
    }

    /// <summary>The whole, once labels and distances are there.</summary>
    public KMeansResult Result() => KMeans.Result(Data, Options, Centroids, Labels, Distances, Best!, Winner);
}
