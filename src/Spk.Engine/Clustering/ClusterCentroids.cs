namespace Spk.Engine.Clustering;

/// <summary>Means of the clusters in f64, and how far their points lie from them.</summary>
internal sealed unsafe class ClusterCentroids
{
    private readonly double[] _means;
    private readonly int[] _starts;
    private readonly int _dimension;

    private ClusterCentroids(int clusters, int dimension, int[] starts)
    {
        _means = new double[(long)clusters * dimension];
        _starts = starts;
        _dimension = dimension;
        SquaredDistances = new double[clusters];
        MeanDistances = new double[clusters];
    }

    /// <summary>Sum of the squared distances of each cluster's points to its mean.</summary>
    public double[] SquaredDistances { get; }

    /// <summary>Mean distance of each cluster's points to its mean.</summary>
    public double[] MeanDistances { get; }

    public ReadOnlySpan<double> Mean(int cluster) => _means.AsSpan(cluster * _dimension, _dimension);

    public int Size(int cluster) => _starts[cluster + 1] - _starts[cluster];

    /// <summary>Each cluster is summed in the order of its points, whichever thread takes it.</summary>
    public static ClusterCentroids Compute(ReadOnlySpan<float> rows, int dimension, DenseLabels clusters, ParallelOptions parallel)
    {
        var (order, starts) = clusters.Group();
        var result = new ClusterCentroids(clusters.Values.Length, dimension, starts);
        fixed (float* pinned = rows)
        {
            nint address = (nint)pinned;
            Parallel.For(0, clusters.Values.Length, parallel, c => result.Add((float*)address, order, c));
        }

        return result;
    }

    private void Add(float* rows, int[] order, int cluster)
    {
        var mean = _means.AsSpan(cluster * _dimension, _dimension);
        var members = order.AsSpan(_starts[cluster], Size(cluster));
        foreach (int row in members)
        {
            float* x = rows + ((nint)row * _dimension);
            for (int d = 0; d < mean.Length; d++)
            {
                mean[d] += x[d];
            }
        }

        foreach (ref double value in mean)
        {
            value /= members.Length;
        }

        foreach (int row in members)
        {
            float* x = rows + ((nint)row * _dimension);
            double sum = 0;
            for (int d = 0; d < mean.Length; d++)
            {
                double difference = x[d] - mean[d];
                sum += difference * difference;
            }

            SquaredDistances[cluster] += sum;
            MeanDistances[cluster] += Math.Sqrt(sum);
        }

        MeanDistances[cluster] /= members.Length;
    }
}
