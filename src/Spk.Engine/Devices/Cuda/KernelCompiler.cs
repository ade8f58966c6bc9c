using Spk.Interop.Cuda;

namespace Spk.Engine.Devices.Cuda;

/// <summary>Compiles kernel files with NVRTC, all with the same options.</summary>
internal sealed class KernelCompiler(Nvrtc nvrtc)
{
    private const string HopperOnly = "HAS_SM90A";
    private const int FirstMajorWithHopperOnly = 12;

    /// <summary>The compiler underneath.</summary>
    public Nvrtc Nvrtc => nvrtc;

    /// <summary>Whether a kernel file has a variant that runs on compute capability 9.0 only.</summary>
    /// <param name="file">Kernel file without extension.</param>
    public static bool HasHopperVariant(string file) => KernelSources.Get(file).Text.Contains(HopperOnly, StringComparison.Ordinal);

    /// <summary>
    /// What to compile a file for on a device: its own architecture (<c>sm_90a</c> for files with a variant that runs nowhere
    /// else), or, where this NVRTC is older than the device, the newest virtual one, which the driver translates.
    /// </summary>
    /// <param name="source">The file.</param>
    /// <param name="capability">The device's compute capability.</param>
    /// <returns>Such as "sm_90", "sm_90a" or "compute_90".</returns>
    public string Target(KernelSource source, (int Major, int Minor) capability)
    {
        int architecture = (10 * capability.Major) + capability.Minor;
        if (architecture == 90 && nvrtc.Version.Major >= FirstMajorWithHopperOnly && source.Text.Contains(HopperOnly, StringComparison.Ordinal))
        {
            return "sm_90a";
        }

        return nvrtc.Architectures.Contains(architecture)
            ? $"sm_{architecture}"
            : $"compute_{nvrtc.Architectures.Where(known => known < architecture).DefaultIfEmpty(80).Max()}";
    }

    /// <summary>The options of a compilation, which are part of a cached binary's key.</summary>
    /// <param name="target">From <see cref="Target"/>.</param>
    public static IReadOnlyList<string> Options(string target) => target == "sm_90a"
        ? ["-std=c++17", "--gpu-architecture=sm_90a", "-DHAS_SM90A=1", "--ptxas-options=-v"]
        : ["-std=c++17", $"--gpu-architecture={target}", "--ptxas-options=-v"];

    /// <summary>Compiles a file.</summary>
    /// <param name="source">The file.</param>
    /// <param name="target">From <see cref="Target"/>.</param>
    /// <returns>A binary for <c>sm_XX</c>, PTX for <c>compute_XX</c>, and the log.</returns>
    /// <exception cref="CudaException">The compiler refuses it; the message holds the log.</exception>
    public (ReadOnlyMemory<byte> Image, string Log) Compile(KernelSource source, string target)
    {
        var output = nvrtc.Compile(source.Text, source.Name, Options(target), source.Headers);
        return (output.Cubin.IsEmpty ? output.Ptx : output.Cubin, output.Log);
    }
}
