using Spk.Interop;

namespace Spk.Engine.Clustering;

/// <summary>
/// Parallel loops of the clustering code: over fixed blocks of work whose results are kept apart and added in order, so that the
/// bits do not depend on how many threads run them.
/// </summary>
internal static class Threads
{
    public static ParallelOptions Options(int threads, CancellationToken cancellation = default) => threads < 0
        ? throw new InvalidOptionException($"threads = {threads}: allowed are 0 (one per processor) or more.")
        : new ParallelOptions { MaxDegreeOfParallelism = threads == 0 ? Environment.ProcessorCount : threads, CancellationToken = cancellation };
}
