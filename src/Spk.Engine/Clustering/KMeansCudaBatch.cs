using System.Buffers;
using System.Diagnostics;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Ops.Cluster;

namespace Spk.Engine.Clustering;

/// <summary>Many problems on a GPU, those of a group in common launches: as many columns and clusters, and half as many rows as the largest or more.</summary>
internal sealed unsafe class KMeansCudaBatch(CudaDevice cuda, IReadOnlyList<KMeansProblem> problems, KMeansOptions options, CancellationToken cancellation)
{
    // Of a group, rows and centroids with as many as the largest has: a tensor has fewer than 2^31 elements; what a search leaves is three words a row, and
    // k-means++ as many as it has candidates. And problems, which are the third extent of a grid.
    private const long MostElements = 1L << 29;
    private const int MostProblems = 32_768;

    private readonly float[]?[] _scales = new float[]?[problems.Count];

    /// <summary>Whether descents in common keep what is asked for: a time limit is each problem's own, and so are a sample and mini-batches.</summary>
    public static bool Suits(KMeansOptions options) =>
        options.Algorithm != KMeansAlgorithm.MiniBatch && options.MaximumTime is null && options.TrainingSampleSize is null;

    /// <summary>Checks all, then solves all.</summary>
    /// <param name="results">One a problem, out.</param>
    public void Run(KMeansResult[] results)
    {
        for (int p = 0; p < problems.Count; p++)
        {
            cancellation.ThrowIfCancellationRequested();
            _scales[p] = KMeansBatch.Named(p, problems[p], Check);
        }

        // Of problems alike, the largest comes first and decides.
        int[] order =
        [
            .. Enumerable.Range(0, problems.Count).OrderBy(p => problems[p].Dimension).ThenBy(p => problems[p].Clusters).ThenBy(p => _scales[p] is null)
                .ThenByDescending(Rows),
        ];
        for (int first = 0; first < order.Length;)
        {
            cancellation.ThrowIfCancellationRequested();
            int[] group = order[first..(first + GroupFrom(order.AsSpan(first)))];
            var solved = KMeansBatch.Named(group, () => Solve(group));
            for (int i = 0; i < group.Length; i++)
            {
                results[group[i]] = solved[i];
            }

            first += group.Length;
        }
    }

    private float[]? Check(KMeansProblem problem)
    {
        var own = KMeansBatch.Own(options, problem);
        _ = KMeans.RequireInputs(problem.Rows.Span, problem.Dimension, own, problem.InitialCentroids.Span, problem.Weights.Span);
        return KMeans.RequireRoom(problem.Rows.Span, problem.Dimension, own, problem.Weights.Span, cuda);
    }

    private int Rows(int problem) => problems[problem].Rows.Length / problems[problem].Dimension;

    // How many of those that begin here share launches: as many as there is memory for, one at least.
    private int GroupFrom(ReadOnlySpan<int> order)
    {
        var largest = problems[order[0]];
        int most = Rows(order[0]);
        var memory = cuda.Memory;
        long each = KMeans.EstimateDeviceBytes(most, largest.Dimension, KMeansBatch.Own(options, largest));
        int width = Math.Max(largest.Dimension, KMeansInit.Candidates(options.PlusPlusCandidates, largest.Clusters));
        long room = Math.Min(MostElements / ((long)Math.Max(most, largest.Clusters) * width), MostProblems);
        room = Math.Min(room, ((memory.Free ?? 0) + memory.Reserved - memory.Used) / 2 / each);
        int count = 1;
        while (count < order.Length && count < room && Share(order[0], order[count]))
        {
            count++;
        }

        return count;
    }

    // Whether a problem goes with a larger one.
    private bool Share(int larger, int other)
    {
        var (one, two) = (problems[larger], problems[other]);
        return one.Dimension == two.Dimension && one.Clusters == two.Clusters && (_scales[larger] is null) == (_scales[other] is null) && 2L * Rows(other) >= Rows(larger);
    }

    private KMeansResult[] Solve(int[] group)
    {
        var pins = new List<MemoryHandle>();
        try
        {
            var descents = new KMeansDescent[group.Length];
            for (int i = 0; i < descents.Length; i++)
            {
                var problem = problems[group[i]];
                var data = new KMeansData
                {
                    Rows = Pin(problem.Rows, pins),
                    Scales = Pin(_scales[group[i]], pins),
                    Weights = Pin(problem.Weights, pins),
                    Count = Rows(group[i]),
                    Dimension = problem.Dimension,
                };
                descents[i] = new KMeansDescent(data, KMeansBatch.Own(options, problem), problem.InitialCentroids.Span);
            }

            return KMeansLockstep.Fit(cuda, descents, Stopwatch.GetTimestamp(), null, cancellation);
        }
        finally
        {
            pins.ForEach(pin => pin.Dispose());
        }
    }

    // Null for nothing.
    private static float* Pin(ReadOnlyMemory<float> memory, List<MemoryHandle> pins)
    {
        if (memory.IsEmpty)
        {
            return null;
        }

        pins.Add(memory.Pin());
        return (float*)pins[^1].Pointer;
    }
}
