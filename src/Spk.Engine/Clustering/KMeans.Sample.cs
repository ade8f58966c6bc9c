using Spk.Engine.Devices;
using Spk.Engine.Numerics;
using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <content>Training on a sample, where that is asked for by name.</content>
public static unsafe partial class KMeans
{
    private static KMeansResult FitSample(
        KMeansData data,
        KMeansOptions options,
        ReadOnlySpan<float> initialCentroids,
        Device device,
        long started,
        IProgress<KMeansProgress>? progress,
        CancellationToken cancellation)
    {
        int[] chosen = Sample(data, options);
        float[] rows = new float[(long)chosen.Length * data.Dimension];
        float[]? scales = data.Scales == null ? null : new float[chosen.Length];
        float[]? weights = data.Weights == null ? null : new float[chosen.Length];
        for (int i = 0; i < chosen.Length; i++)
        {
            new ReadOnlySpan<float>(data.Row(chosen[i]), data.Dimension).CopyTo(rows.AsSpan(i * data.Dimension));
            scales?[i] = data.Scales[chosen[i]];
            weights?[i] = data.Weights[chosen[i]];
        }

        KMeansResult trained;
        fixed (float* rowPointer = rows, scalePointer = scales, weightPointer = weights)
        {
            var sample = new KMeansData
            {
                Rows = rowPointer,
                Scales = scalePointer,
                Weights = weightPointer,
                Count = chosen.Length,
                Dimension = data.Dimension,
            };
            trained = Fit(sample, options, initialCentroids, device, started, progress, cancellation);
        }

        var memory = new KMeansMemory(device);
        try
        {
            int[] labels = new int[data.Count];
            float[] distances = new float[data.Count];
            var outcome = new KMeansOutcome([.. trained.InertiaPerIteration], trained.Stop);
            fixed (float* centroidPointer = trained.Centroids, distancePointer = distances)
            fixed (int* labelPointer = labels)
            {
                using var run = new KMeansRun(options, memory, data, started, null, cancellation);
                outcome.Inertia = run.Label(centroidPointer, labelPointer, distancePointer);
                return Result(data, options, trained.Centroids, labels, distances, outcome, trained.Restart);
            }
        }
        finally
        {
            memory.Release();
        }
    }

    // Only rows that may become centroids, so that the sample is as good as its size; in the rows' order.
    private static int[] Sample(in KMeansData data, KMeansOptions options)
    {
        int[] rows = new int[data.Count];
        int usable = 0;
        for (int i = 0; i < data.Count; i++)
        {
            if (data.Scales == null || data.Scales[i] > 0)
            {
                rows[usable++] = i;
            }
        }

        int size = Math.Min(usable, options.TrainingSampleSize ?? usable);
        if (size < options.Clusters)
        {
            throw new InvalidOptionException($"k-means option TrainingSampleSize = {size}: {options.Clusters} clusters need at least as many rows.");
        }

        var random = new CounterRandom(options.Seed, RandomPurpose.Clustering, KMeansStreams.Sample);
        for (int i = 0; i < size; i++)
        {
            int other = i + random.NextInt(usable - i);
            (rows[i], rows[other]) = (rows[other], rows[i]);
        }

        int[] chosen = rows.AsSpan(0, size).ToArray();
        Array.Sort(chosen);
        return chosen;
    }
}
