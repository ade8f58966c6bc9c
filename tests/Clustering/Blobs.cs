using Spk.Tests.Support;

namespace Spk.Tests.Clustering;

/// <summary>Rows in groups, for tests of clusterings.</summary>
internal static class Blobs
{
    /// <summary>Group i % groups of every row; deviations of the given spread around centres of unit deviation.</summary>
    public static float[] Rows(int seed, int count, int dimension, int groups, float spread = 0.8f)
    {
        float[] centres = Samples.Normal(1000 + seed, groups * dimension), rows = Samples.Normal(seed, count * dimension, spread);
        for (int i = 0; i < rows.Length; i++)
        {
            rows[i] += centres[(i / dimension % groups * dimension) + (i % dimension)];
        }

        return rows;
    }
}
