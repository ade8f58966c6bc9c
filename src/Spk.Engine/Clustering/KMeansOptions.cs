using System.Globalization;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>What to cluster into, and how. Defaults are exact Lloyd from one k-means++ start; nothing is sampled unless asked for.</summary>
public sealed record KMeansOptions
{
    /// <summary>K, number of clusters: 1 to the number of rows (of non-zero rows under cosine; of rows with weight above 0).</summary>
    public int Clusters { get; init; } = 8;

    /// <summary>What "near" means.</summary>
    public ClusterMetric Metric { get; init; } = ClusterMetric.Euclidean;

    /// <summary>How the objective is lowered.</summary>
    public KMeansAlgorithm Algorithm { get; init; } = KMeansAlgorithm.Lloyd;

    /// <summary>Where the first centroids come from; not used where they are given.</summary>
    public KMeansInitialization Initialization { get; init; } = KMeansInitialization.PlusPlus;

    /// <summary>Candidates a step of k-means++, 1 to 64; 0 stands for 2 + ln K.</summary>
    public int PlusPlusCandidates { get; init; }

    /// <summary>Independent starts, 1 to 10,000; the one with the lowest final objective is the result. Given centroids allow one only.</summary>
    public int Restarts { get; init; } = 1;

    /// <summary>
    /// What happens to a cluster without rows. <see cref="KMeansAlgorithm.MiniBatch"/> looks once a pass for clusters that never had a
    /// row, and moves them to the farthest rows of the batch unless this is <see cref="EmptyClusterPolicy.Keep"/>.
    /// </summary>
    public EmptyClusterPolicy EmptyClusters { get; init; } = EmptyClusterPolicy.Farthest;

    /// <summary>
    /// Most iterations of a start, 0 or more; 0 only labels the rows by the first centroids. An iteration of
    /// <see cref="KMeansAlgorithm.MiniBatch"/> is one batch.
    /// </summary>
    public int MaximumIterations { get; init; } = 100;

    /// <summary>
    /// Stops when an iteration lowers the objective by no more than this fraction of it, 0 to 1. 0 goes on until no label changes. For
    /// <see cref="KMeansAlgorithm.MiniBatch"/> both objectives are averages over about a pass of the rows.
    /// </summary>
    public double Tolerance { get; init; } = 1e-5;

    /// <summary>Stops after the iteration in which this much time has passed since the call; null for no limit.</summary>
    public TimeSpan? MaximumTime { get; init; }

    /// <summary>Seed of every random choice. The same seed gives the same bits, for any number of threads.</summary>
    public ulong Seed { get; init; }

    /// <summary>
    /// Most bytes of memory beyond inputs and results, 0 for no limit. A call that needs more fails before it starts, and says how
    /// much it needs (see <see cref="KMeans.EstimateScratchBytes"/>).
    /// </summary>
    public long MaximumScratchBytes { get; init; }

    /// <summary>
    /// Rows, drawn at random without replacement, that the centroids are trained on; null (default) for all of them. All rows are
    /// labelled in the end, and <see cref="KMeansResult.Inertia"/> is over all rows; <see cref="KMeansResult.InertiaPerIteration"/> is over
    /// the sample.
    /// </summary>
    public int? TrainingSampleSize { get; init; }

    /// <summary>Rows of a batch of <see cref="KMeansAlgorithm.MiniBatch"/>, 1 or more.</summary>
    public int MiniBatchSize { get; init; } = 4096;

    /// <summary>Checks everything that does not depend on the data.</summary>
    /// <exception cref="InvalidOptionException">A value is outside the range given above.</exception>
    public void Validate()
    {
        Require(Clusters >= 1, nameof(Clusters), Clusters, "1 or more");
        Require(Enum.IsDefined(Metric), nameof(Metric), Metric, "euclidean or cosine");
        Require(Enum.IsDefined(Algorithm), nameof(Algorithm), Algorithm, "Lloyd, Bounded or MiniBatch");
        Require(Enum.IsDefined(Initialization), nameof(Initialization), Initialization, "RandomRows, PlusPlus or Parallel");
        Require(Enum.IsDefined(EmptyClusters), nameof(EmptyClusters), EmptyClusters, "Farthest, Keep or Split");
        Require(PlusPlusCandidates is >= 0 and <= 64, nameof(PlusPlusCandidates), PlusPlusCandidates, "0 to 64");
        Require(Restarts is >= 1 and <= 10_000, nameof(Restarts), Restarts, "1 to 10,000");
        Require(MaximumIterations >= 0, nameof(MaximumIterations), MaximumIterations, "0 or more");
        Require(Tolerance is >= 0 and <= 1, nameof(Tolerance), Tolerance, "0 to 1");
        Require(MaximumTime is null || MaximumTime > TimeSpan.Zero, nameof(MaximumTime), MaximumTime, "above zero");
        Require(MaximumScratchBytes >= 0, nameof(MaximumScratchBytes), MaximumScratchBytes, "0 (no limit) or more");
        Require(TrainingSampleSize is null || TrainingSampleSize >= Clusters, nameof(TrainingSampleSize), TrainingSampleSize, "the number of clusters or more");
        Require(MiniBatchSize >= 1, nameof(MiniBatchSize), MiniBatchSize, "1 or more");
    }

    private static void Require(bool valid, string name, object? value, string allowed)
    {
        if (!valid)
        {
            throw new InvalidOptionException(string.Create(CultureInfo.InvariantCulture, $"k-means option {name} = {value}: allowed is {allowed}."));
        }
    }
}
