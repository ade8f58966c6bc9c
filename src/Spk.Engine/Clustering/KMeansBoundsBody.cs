using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>Measures the own distance of a chunk of rows and lists those that must be compared with all centroids.</summary>
internal unsafe struct KMeansBoundsBody : IParallelBody
{
    // Lengths of f32 unit vectors are 1 to about 1e-7: a larger dot product may belong to a centroid that much farther away.
    private const double UnitSlack = 1e-6;

    // Of one f32 operation.
    private const double Roundoff = 1.0 / (1 << 24);

    // Far above the rounding of f64 distances.
    private const double Slack = 1e-9;

    // f32 squares of up to thousands of columns, summed in 16 lanes.
    private const double NormSlack = 1e-4;

    public KMeansData Data;
    public ClusterMetric Metric;
    public float* Centroids;
    public int* Labels;
    public float* Distances, Lower;
    public int* List, Listed;
    public double* Sums;
    public double LongestMove, SecondMove;

    /// <summary>The centroid that moved farthest; its own rows need only the second longest move.</summary>
    public int Fastest;

    /// <summary>
    /// Lower bound of a row's distance to centroids but its own, from the score bound of <see cref="NearestCentroidRequest.RunnerUp"/>.
    /// Under cosine distances are between unit vectors.
    /// </summary>
    public static float LowerBound(in KMeansData data, ClusterMetric metric, int row, float score)
    {
        double norm = RowMath.ApproximateNorm(data.Row(row), data.Dimension);
        double squared = metric == ClusterMetric.Euclidean
            ? (norm * norm * (1 - NormSlack)) - (2.0 * score)
            : norm > 0 ? 2 - (2 * ((score / norm) + Math.Abs(score / norm * NormSlack))) - UnitSlack : 0;
        return squared > 0 ? MathF.BitDecrement((float)Math.Sqrt(squared)) : 0f;
    }

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        int listed = 0;
        double sum = 0, error = (Data.Dimension + 16) * Roundoff;
        int first = index * KMeansData.ChunkRows, end = Math.Min(Data.Count, first + KMeansData.ChunkRows);
        for (int row = first; row < end; row++)
        {
            float* x = Data.Row(row);
            float* c = Centroids + ((nint)Labels[row] * Data.Dimension);
            double move = Labels[row] == Fastest ? SecondMove : LongestMove;
            double lower = Lower[row] - (move * (1 + Slack));
            Lower[row] = lower > 0 ? MathF.BitDecrement((float)lower) : 0f;
            double own, squared;
            if (Metric == ClusterMetric.Euclidean)
            {
                own = RowMath.SquaredDistanceInRange(x, c, Data.Dimension);
                squared = own * (1 + error);
            }
            else
            {
                own = RowMath.DotSingle(x, c, Data.Dimension);
                double length = RowMath.ApproximateNorm(x, Data.Dimension);
                squared = length > 0 ? 2 - (2 * own / length) + (4 * error) + (2 * UnitSlack) : double.PositiveInfinity;
            }

            if ((double)Lower[row] * Lower[row] > squared)
            {
                Distances[row] = (float)own;
                sum += Data.Scales == null ? own : Data.Scales[row] * own;
            }
            else
            {
                List[first + listed++] = row;
            }
        }

        Listed[index] = listed;
        Sums[index] = Metric == ClusterMetric.Euclidean ? sum : -sum;
    }
}
