using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>Measures rows against the centroids of their labels.</summary>
internal static unsafe class OwnDistances
{
    /// <summary>Bytes of memory of a call.</summary>
    public static long Bytes(int count) => ((count / KMeansData.ChunkRows) + 1L) * sizeof(double);

    /// <summary>Distances as <see cref="KMeansAssign"/> leaves them, and the objective.</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="data">The rows.</param>
    /// <param name="metric">Euclidean or cosine.</param>
    /// <param name="centroids">[K, D].</param>
    /// <param name="labels">[N].</param>
    /// <param name="distances">[N], out.</param>
    public static double Measure(CpuDevice cpu, in KMeansData data, ClusterMetric metric, float* centroids, int* labels, float* distances)
    {
        double[] sums = new double[data.Chunks];
        fixed (double* sum = sums)
        {
            var body = new Body { Data = data, Metric = metric, Centroids = centroids, Labels = labels, Distances = distances, Sums = sum };
            cpu.Workers.For(sums.Length, ref body);
        }

        double total = sums.Sum();
        return metric == ClusterMetric.Cosine ? -total : total;
    }

    private struct Body : IParallelBody
    {
        public KMeansData Data;
        public ClusterMetric Metric;
        public float* Centroids;
        public int* Labels;
        public float* Distances;
        public double* Sums;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int first = index * KMeansData.ChunkRows, end = Math.Min(Data.Count, first + KMeansData.ChunkRows);
            double sum = 0;
            for (int i = first; i < end; i++)
            {
                float* c = Centroids + ((nint)Labels[i] * Data.Dimension);
                double distance = Metric == ClusterMetric.Cosine
                    ? RowMath.DotSingle(Data.Row(i), c, Data.Dimension)
                    : RowMath.SquaredDistanceInRange(Data.Row(i), c, Data.Dimension);
                Distances[i] = (float)distance;
                sum += (Data.Scales == null ? 1.0 : Data.Scales[i]) * distance;
            }

            Sums[index] = sum;
        }
    }
}
