using System.Text;

namespace Spk.Engine.Devices.Cuda;

/// <summary>
/// Binaries that a package carries as resources, made by tools/pack.sh: "kernels/sm_90/encoder_batch_norm.cubin",
/// "kernels/compute_80/encoder_batch_norm.ptx" and the list "kernels/binaries.txt", which says from what source each was made, so
/// that a binary of an older source is never used.
/// </summary>
internal static class ShippedKernels
{
    /// <summary>Real architectures the package has binaries for.</summary>
    public static IReadOnlyList<string> RealArchitectures { get; } = ["sm_80", "sm_86", "sm_89", "sm_90"];

    /// <summary>Virtual architectures the package has PTX for, which a driver translates to later devices.</summary>
    public static IReadOnlyList<string> VirtualArchitectures { get; } = ["compute_80", "compute_90"];

    /// <summary>Name of the list among the resources.</summary>
    public const string ListName = "binaries.txt";

    private static readonly Lazy<Dictionary<string, string>> List = new(ReadList);

    /// <summary>Number of kernel files that the list names.</summary>
    public static int Count => List.Value.Count;

    /// <summary>Where a binary lies under the folder "kernels".</summary>
    /// <param name="file">Kernel file without extension.</param>
    /// <param name="target">Such as "sm_90" or "compute_80".</param>
    public static string PathOf(string file, string target) =>
        $"{target}/{file.Replace('/', '_')}.{(target.StartsWith("compute_", StringComparison.Ordinal) ? "ptx" : "cubin")}";

    /// <summary>A line of the list.</summary>
    /// <param name="source">The kernel file.</param>
    public static string ListLine(KernelSource source) => $"{source.Hash()} {source.Name}";

    /// <summary>The shipped cubin that runs on a device, or null.</summary>
    /// <param name="file">Kernel file without extension.</param>
    /// <param name="capability">The device's compute capability.</param>
    public static byte[]? Cubin(string file, (int Major, int Minor) capability)
    {
        if (!IsCurrent(file))
        {
            return null;
        }

        // A cubin runs on devices of the same major and a higher minor number, too.
        var minors = Enumerable.Range(0, capability.Minor + 1).Reverse();
        string[] targets = [.. capability == (9, 0) ? ["sm_90a"] : Array.Empty<string>(), .. minors.Select(minor => $"sm_{capability.Major}{minor}")];
        return targets.Select(target => KernelSources.Bytes(PathOf(file, target))).FirstOrDefault(bytes => bytes is not null);
    }

    /// <summary>The shipped PTX that a driver can translate for a device, or null.</summary>
    /// <param name="file">Kernel file without extension.</param>
    /// <param name="capability">The device's compute capability.</param>
    public static byte[]? Ptx(string file, (int Major, int Minor) capability)
    {
        int architecture = (10 * capability.Major) + capability.Minor;
        return !IsCurrent(file) ? null : VirtualArchitectures.Reverse()
            .Where(target => int.Parse(target.AsSpan("compute_".Length), provider: null) <= architecture)
            .Select(target => KernelSources.Bytes(PathOf(file, target))).FirstOrDefault(bytes => bytes is not null);
    }

    private static bool IsCurrent(string file)
    {
        return List.Value.TryGetValue(file + ".cu", out string? hash) && KernelSources.Get(file).Hash() == hash;
    }

    private static Dictionary<string, string> ReadList() => KernelSources.Bytes(ListName) is not { } bytes ? [] : Encoding.UTF8.GetString(bytes)
        .Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => line.Split(' ', 2))
        .ToDictionary(parts => parts[1], parts => parts[0]);
}
