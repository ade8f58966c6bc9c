using Spk.Engine.Devices;

namespace Spk.Engine.Clustering;

/// <content>Many problems, new rows, several K.</content>
public static unsafe partial class KMeans
{
    /// <summary>Solves thousands of independent problems, each with its own rows, N, D and K, in one call.</summary>
    /// <param name="problems">The problems; each gives the same bits as <c>Fit</c> alone.</param>
    /// <param name="options">For all of them; <see cref="KMeansOptions.Clusters"/> comes from the problem. The memory limit is for one problem.</param>
    /// <param name="device">Where to compute; null for the CPU with all processors, small problems side by side.</param>
    /// <param name="cancellation">Looked at several times a second.</param>
    /// <returns>One result a problem, in order.</returns>
    /// <exception cref="Spk.Interop.SpkException">As <c>Fit</c>; the message names the problem.</exception>
    /// <exception cref="OperationCanceledException">Cancelled.</exception>
    public static IReadOnlyList<KMeansResult> FitBatch(
        IReadOnlyList<KMeansProblem> problems, KMeansOptions options, Device? device = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(problems);
        ArgumentNullException.ThrowIfNull(options);
        options.Validate();
        using var own = device is null ? new CpuDevice() : null;
        return new KMeansBatch(problems, options, cancellation).Run(device ?? own!);
    }
}
