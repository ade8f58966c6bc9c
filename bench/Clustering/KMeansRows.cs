using System.Numerics.Tensors;
using Spk.Engine.Numerics;

namespace Spk.Bench.Clustering;

/// <summary>Unit rows of weak structure, as the peers use: Lloyd must not reach its fixed point within the timed iterations.</summary>
internal static class KMeansRows
{
    public static float[] Blobs(int count, int dimension, int clusters, ulong seed)
    {
        var random = new CounterRandom(seed, RandomPurpose.Initialization);
        float[] centres = new float[clusters * dimension], rows = new float[count * dimension];
        foreach (ref float value in centres.AsSpan())
        {
            value = random.NextNormal();
        }

        for (int i = 0; i < count; i++)
        {
            var row = rows.AsSpan(i * dimension, dimension);
            var centre = centres.AsSpan(random.NextInt(clusters) * dimension, dimension);
            for (int d = 0; d < dimension; d++)
            {
                row[d] = (0.3f * centre[d]) + random.NextNormal();
            }

            TensorPrimitives.Divide(row, TensorPrimitives.Norm(row), row);
        }

        return rows;
    }
}
