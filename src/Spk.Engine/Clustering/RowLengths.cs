using System.Runtime.CompilerServices;
using Spk.Engine.Devices;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>What the rows alone decide, found in one pass over them.</summary>
internal static unsafe class RowLengths
{
    /// <summary>Lengths of all rows, and Σ scale · ‖x‖².</summary>
    /// <param name="cpu">The device.</param>
    /// <param name="data">The rows.</param>
    /// <param name="lengths">[N], out; infinite beyond the range of f32.</param>
    public static double Measure(CpuDevice cpu, in KMeansData data, float* lengths)
    {
        double[] sums = new double[data.Chunks];
        fixed (double* sum = sums)
        {
            var body = new Body { Data = data, Lengths = lengths, Sums = sum };
            cpu.Workers.For(sums.Length, ref body);
        }

        return sums.Sum();
    }

    private struct Body : IParallelBody
    {
        public KMeansData Data;
        public float* Lengths;
        public double* Sums;

        [MethodImpl(HotLoop.Options)]
        public readonly void Run(int index, int worker)
        {
            int first = index * KMeansData.ChunkRows, end = Math.Min(Data.Count, first + KMeansData.ChunkRows);
            double sum = 0;
            for (int i = first; i < end; i++)
            {
                double squares = RowMath.Dot(Data.Row(i), Data.Row(i), Data.Dimension);
                Lengths[i] = (float)Math.Sqrt(squares);
                sum += (Data.Scales == null ? 1.0 : Data.Scales[i]) * squares;
            }

            Sums[index] = sum;
        }
    }
}
