using Spk.Engine.Devices.Cuda;
using Spk.Interop;
using Spk.Interop.Cuda;
using Spk.Interop.Nccl;

namespace Spk.Engine.Devices;

/// <summary>Looks for a CUDA driver, opens devices on it, and says in words what it found and what is missing.</summary>
public static class CudaProbe
{
    /// <summary>Environment variable that names the driver library to use instead of the system's, for example the emulator.</summary>
    public const string OverrideVariable = "SPK_CUDA_DRIVER";

    private const int NoDevice = 100;

    private static readonly Lock Gate = new();
    private static readonly Dictionary<string, CudaDriver> Loaded = [];

    private static string[] Candidates => Environment.GetEnvironmentVariable(OverrideVariable) is { Length: > 0 } only
        ? [only]
        : OperatingSystem.IsWindows() ? ["nvcuda.dll"] : ["libcuda.so.1"];

    private static string Advice => Environment.GetEnvironmentVariable(OverrideVariable) is { Length: > 0 }
        ? $"Correct or unset {OverrideVariable}"
        : "Install the NVIDIA display driver";

    /// <summary>Tries the driver library.</summary>
    /// <returns>Whether a driver works, and one line per library tried.</returns>
    public static (bool Found, IReadOnlyList<string> Trace) Run()
    {
        var (driver, trace, _) = FindDriver();
        return (driver is not null, trace);
    }

    /// <summary>What there is for computing on a GPU: driver, devices, NVRTC, cuBLAS, NCCL, kernel binaries.</summary>
    /// <returns>Findings in the order to read them; never throws.</returns>
    public static IReadOnlyList<DeviceFinding> Report()
    {
        var findings = new List<DeviceFinding>();
        var (driver, trace, advice) = FindDriver();
        string source = Environment.GetEnvironmentVariable(OverrideVariable) is { Length: > 0 } ? $" ({OverrideVariable} is set)" : "";
        findings.Add(new("cuda", string.Join("; ", trace) + source, driver is null ? $"to compute on an NVIDIA GPU: {advice}" : null));

        (int Major, int Minor)? capability = null;
        for (int i = 0; driver is not null && i < driver.DeviceCount; i++)
        {
            var found = KernelImages.CapabilityOf(driver, driver.Device(i));
            capability ??= found;
            findings.Add(Describe(driver, i, found));
        }

        var (compiler, nvrtc) = KernelImages.FindCompiler(driver is null or { IsEmulator: true } ? int.MaxValue : driver.Version / 1000);
        findings.Add(new(
            "nvrtc", string.Join("; ", nvrtc),
            compiler is null && driver is { IsEmulator: false } ? "needed where no kernel binaries are shipped: install NVRTC (Debian: libnvrtc11.2)" : null));

        var cublasTrace = new List<string>();
        Cublas.Find(driver, cublasTrace);
        findings.Add(new("cublas", string.Join("; ", cublasTrace) + " (optional)", null));

        var ncclTrace = new List<string>();
        NcclLibrary.Find(driver, ncclTrace);
        findings.Add(new("nccl", string.Join("; ", ncclTrace) + " (optional: several processes, each with a GPU)", null));
        findings.Add(KernelBinaries(driver, capability));
        return findings;
    }

    internal static CudaDevice Open(string requested, int ordinal)
    {
        var (driver, trace, advice) = FindDriver();
        if (driver is null)
        {
            throw new DeviceUnavailableException($"Device '{requested}' cannot be used: {string.Join("; ", trace)}. {advice}, or use --device cpu.");
        }

        var device = new CudaDevice(driver, ordinal);
        if (KernelImages.Missing(driver, device.ComputeCapability) is { } missing)
        {
            device.Dispose();
            throw new DeviceUnavailableException($"Device '{requested}' cannot be used: {string.Join("; ", trace)}, but {missing.TrimEnd('.')}, or use --device cpu.");
        }

        return device;
    }

    internal static CudaDevice? TryOpen(out string reason)
    {
        var (driver, trace, _) = FindDriver();
        if (driver is null or { IsEmulator: true })
        {
            reason = "no GPU: " + string.Join("; ", trace) + (driver is null ? "" : ", which is never chosen unasked");
            return null;
        }

        try
        {
            var device = Open("cuda", 0);
            reason = "a GPU is there: " + string.Join("; ", trace);
            return device;
        }
        catch (SpkException e) when (e is DeviceUnavailableException or CudaException)
        {
            reason = e.Message;
            return null;
        }
    }

    // Loading is done once per library: a driver stays loaded for the life of the process.
    private static (CudaDriver? Driver, IReadOnlyList<string> Trace, string Advice) FindDriver()
    {
        var trace = new List<string>();
        string advice = Advice;
        lock (Gate)
        {
            foreach (string path in Candidates)
            {
                try
                {
                    if (!Loaded.TryGetValue(path, out var driver))
                    {
                        driver = CudaDriver.Load(path);
                        Loaded.Add(path, driver);
                    }

                    trace.Add($"{path}: {(driver.IsEmulator ? "the emulator" : "driver")} for CUDA {driver.Version / 1000}.{driver.Version % 1000 / 10}");
                    return (driver, trace, advice);
                }
                catch (DllNotFoundException e)
                {
                    trace.Add($"{path}: {CudaDriver.WhyNotLoaded(path, e)}");
                }
                catch (BadImageFormatException)
                {
                    trace.Add($"{path}: not a library for this system");
                }
                catch (EntryPointNotFoundException e)
                {
                    trace.Add($"{path}: too old, a function is missing ({e.Message.Split('\n')[0].TrimEnd('.')})");
                    advice = "Update the NVIDIA display driver";
                }
                catch (CudaException e)
                {
                    trace.Add($"{path}: {e.Name} ({e.Code}) from {e.Call}");
                    advice = e.Code == NoDevice
                        ? "The driver is installed but sees no GPU: check that the machine has one and that this container or user may use it"
                        : "The driver is installed but does not start: check nvidia-smi, restart, or reinstall the NVIDIA display driver";
                }
            }
        }

        return (null, trace, advice);
    }

    private static DeviceFinding Describe(CudaDriver driver, int ordinal, (int Major, int Minor) capability)
    {
        int device = driver.Device(ordinal);
        string value = $"{driver.DeviceName(device)}{(driver.IsEmulator ? " (emulator)" : "")}, compute capability {capability.Major}.{capability.Minor}, "
            + $"{driver.Attribute(device, DeviceProperty.MultiprocessorCount)} multiprocessors, {driver.TotalMemory(device) >> 20} MiB";
        string? advice = capability.Major < 8 ? "too old: compute capability 8.0 (Ampere) or later is needed"
            : driver.IsEmulator ? "for tests only: it computes what a GPU would, slowly" : null;
        return new($"cuda:{ordinal}", value, advice);
    }

    private static DeviceFinding KernelBinaries(CudaDriver? driver, (int Major, int Minor)? capability)
    {
        var cache = KernelCache.Default();
        var (files, bytes) = cache.Usage();
        string shipped = ShippedKernels.Count == 0
            ? "none shipped (source build: NVRTC compiles them at first use)"
            : $"shipped for {string.Join(", ", ShippedKernels.RealArchitectures)}: {ShippedKernels.Count} of {KernelSources.Files.Count} files";
        string value = driver is { IsEmulator: true } ? "linked into the emulator" : $"{shipped}; cache {cache.Folder}: {files} files, {bytes >> 10} KiB";
        return new("kernels", value, driver is not null && capability is { } found ? KernelImages.Missing(driver, found) : null);
    }
}

/// <summary>One thing that was looked for.</summary>
/// <param name="Name">A word for it, such as "nvrtc".</param>
/// <param name="Value">What was found.</param>
/// <param name="Advice">What to do about it, or null.</param>
public sealed record DeviceFinding(string Name, string Value, string? Advice);
