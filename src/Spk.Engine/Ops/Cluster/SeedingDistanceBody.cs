using System.Runtime.CompilerServices;
using Spk.Engine.Clustering;
using Spk.Engine.Devices;

namespace Spk.Engine.Ops.Cluster;

/// <summary>One chunk of rows against the candidates of a step of k-means++.</summary>
internal unsafe struct SeedingDistanceBody : IParallelBody, ISeedingChances
{
    public const int ChunkRows = 512;

    // Below this 1 − cosine two rows have the same direction as far as f32 can tell.
    private const float SameDirection = 1e-6f;

    public SeedingSource Source;

    /// <summary>Row numbers, or null for all.</summary>
    public int* List;
    public int Count, Draws;

    /// <summary>Whether no row is chosen yet: distances are stand-ins of 1 then, so that the first draw goes by weight.</summary>
    public bool IsFirst;
    public float** Drawn;
    public float* DrawnInverse;

    /// <summary>Per row: distance to the nearest chosen row, weight, 1 / length (cosine), distance after each draw.</summary>
    public float* Nearest, Weights, Inverse, Trial;

    /// <summary>Per chunk: sum of weight times nearest distance; the same after each draw.</summary>
    public double* Sums, Potentials;

    readonly int ISeedingWeights.Count => Count;

    public readonly double Sum(int chunk) => Sums[chunk];

    public readonly double Chance(int position) => (double)Weights[position] * Nearest[position];

    public readonly bool HasWeight(int position) => Weights[position] > 0;

    public readonly float* Row(int position) => Source.Row(List == null ? position : List[position]);

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        int end = Math.Min(Count, (index + 1) * ChunkRows);
        double* potentials = Potentials + ((long)index * Draws);
        for (int c = 0; c < Draws; c++)
        {
            potentials[c] = 0;
        }

        for (int i = index * ChunkRows; i < end; i++)
        {
            if (Weights[i] == 0)
            {
                continue;
            }

            float* x = Row(i);
            float* trial = Trial + ((long)i * Draws);
            float limit = IsFirst ? float.PositiveInfinity : Nearest[i];
            for (int c = 0; c < Draws; c++)
            {
                trial[c] = Math.Min(limit, Distance(x, Inverse[i], Drawn[c], DrawnInverse[c]));
                potentials[c] += (double)Weights[i] * trial[c];
            }
        }
    }

    private readonly float Distance(float* x, float inverse, float* c, float drawnInverse)
    {
        if (Source.Metric == ClusterMetric.Euclidean)
        {
            // Differences, not products: copies of a row must be at distance 0 exactly.
            return RowMath.SquaredDistanceSingle(x, c, Source.Dimension);
        }

        float distance = 1f - (RowMath.DotSingle(x, c, Source.Dimension) * inverse * drawnInverse);
        return distance < SameDirection ? 0f : distance;
    }
}

/// <summary>Makes the distances after one of the draws those of its chunk.</summary>
internal unsafe struct SeedingTakeBody : IParallelBody
{
    public SeedingDistanceBody Distances;
    public int Taken;

    [MethodImpl(HotLoop.Options)]
    public readonly void Run(int index, int worker)
    {
        int end = Math.Min(Distances.Count, (index + 1) * SeedingDistanceBody.ChunkRows);
        double sum = 0;
        for (int i = index * SeedingDistanceBody.ChunkRows; i < end; i++)
        {
            if (Distances.Weights[i] > 0)
            {
                Distances.Nearest[i] = Distances.Trial[((long)i * Distances.Draws) + Taken];
                sum += (double)Distances.Weights[i] * Distances.Nearest[i];
            }
        }

        Distances.Sums[index] = sum;
    }
}
