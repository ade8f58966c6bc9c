using Spk.Engine.Numerics;

namespace Spk.Bench.Clustering;

/// <summary>Points and labels for the clustering benchmarks.</summary>
internal static class ClusterSamples
{
    /// <summary>Normal clouds of unit spread around normal centres.</summary>
    public static (float[] Rows, int[] Labels) Blobs(int count, int dimension, int clusters)
    {
        var random = new CounterRandom(1, RandomPurpose.Clustering);
        float[] centres = new float[clusters * dimension], rows = new float[count * dimension];
        foreach (ref float value in centres.AsSpan())
        {
            value = random.NextNormal();
        }

        int[] labels = new int[count];
        for (int i = 0; i < count; i++)
        {
            labels[i] = i < clusters ? i : random.NextInt(clusters);
            for (int d = 0; d < dimension; d++)
            {
                rows[(i * dimension) + d] = centres[(labels[i] * dimension) + d] + random.NextNormal();
            }
        }

        return (rows, labels);
    }

    /// <summary>Classes, and clusters that follow them but for a share of points put anywhere.</summary>
    public static (int[] Truth, int[] Predicted) Labels(int points, int classes, int clusters, double noise)
    {
        var random = new CounterRandom(2, RandomPurpose.Clustering);
        int[] truth = new int[points], predicted = new int[points];
        for (int i = 0; i < points; i++)
        {
            truth[i] = random.NextInt(classes);
            predicted[i] = random.NextFloat() < noise ? random.NextInt(clusters) : ((truth[i] * 31) + (random.NextInt(2) * 7)) % clusters;
        }

        return (truth, predicted);
    }
}
