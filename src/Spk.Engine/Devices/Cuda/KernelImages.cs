using Spk.Interop;
using Spk.Interop.Cuda;

namespace Spk.Engine.Devices.Cuda;

/// <summary>
/// Where the binaries of kernels come from, in this order: shipped for this architecture, kept from an earlier run, compiled now,
/// shipped as PTX for the driver to translate.
/// </summary>
internal sealed class KernelImages
{
    // The emulator has all kernels linked in: any image will do.
    private static readonly byte[] Emulated = [0];

    // What a driver answers to a binary it cannot use, as opposed to a failure of the device: invalid image, no binary for this
    // GPU, invalid PTX, no or disabled translator, PTX of a newer version.
    private static readonly int[] Refusals = [200, 209, 218, 221, 222, 223];

    private readonly CudaDriver? _driver;
    private readonly KernelCache _cache;
    private readonly Lazy<(int Major, int Minor)> _capability;
    private readonly Lazy<(KernelCompiler? Compiler, IReadOnlyList<string> Trace)> _compiler;

    /// <summary>Binaries for the device of the calling thread's current context, found out when the first is asked for.</summary>
    /// <param name="driver">The driver that loads them.</param>
    public KernelImages(CudaDriver driver)
    {
        _driver = driver;
        _cache = KernelCache.Default();
        _capability = new(() => CapabilityOf(driver, driver.CurrentDevice()));
        _compiler = new(() => FindCompiler(driver.Version / 1000));
    }

    /// <summary>Binaries for a given architecture, without a driver.</summary>
    /// <param name="capability">The compute capability.</param>
    /// <param name="compiler">The compiler, or null for none.</param>
    /// <param name="cache">Where binaries are kept.</param>
    internal KernelImages((int Major, int Minor) capability, KernelCompiler? compiler, KernelCache cache)
    {
        _cache = cache;
        _capability = new(capability);
        _compiler = new((compiler, compiler is null ? ["no compiler"] : []));
    }

    /// <summary>Loads the best binary of a source file that the driver takes.</summary>
    /// <param name="file">File under engine/kernels without extension.</param>
    /// <returns>The module.</returns>
    /// <exception cref="DeviceUnavailableException">There is none; the message holds all that was tried.</exception>
    public CudaModule Load(string file)
    {
        var driver = _driver ?? throw new InvalidOperationException("These binaries belong to no driver.");
        if (driver.IsEmulator)
        {
            return driver.LoadModule(Emulated, file);
        }

        var trace = new List<string>();
        CudaException? refusal = null;
        foreach (var (origin, image) in Candidates(KernelSources.Get(file), trace))
        {
            try
            {
                return driver.LoadModule(image.Span, file);
            }
            catch (CudaException e) when (Refusals.Contains(e.Code))
            {
                refusal = e;
                trace.Add($"{origin}: the driver refused it with {e.Name}");
            }
        }

        string message = $"There is no binary of kernel file {file} for compute capability {_capability.Value.Major}.{_capability.Value.Minor}: {string.Join("; ", trace)}. {Advice}";
        throw refusal is null ? new DeviceUnavailableException(message) : new DeviceUnavailableException(message, refusal);
    }

    /// <summary>Says why no kernel could be loaded on a device, before any is asked for; null where nothing is missing.</summary>
    /// <param name="driver">The driver.</param>
    /// <param name="capability">The device's compute capability.</param>
    public static string? Missing(CudaDriver driver, (int Major, int Minor) capability)
    {
        string? first = KernelSources.Files.Count == 0 ? null : KernelSources.Files[0];
        if (driver.IsEmulator || (first is not null && (ShippedKernels.Cubin(first, capability) ?? ShippedKernels.Ptx(first, capability)) is not null))
        {
            return null;
        }

        var (compiler, trace) = FindCompiler(driver.Version / 1000);
        return compiler is null ? $"this build carries no kernel binaries and NVRTC is not there to make them ({string.Join("; ", trace)}). {Advice}" : null;
    }

    /// <summary>Every binary of a source there is, best first; each is made only when the one before was refused.</summary>
    /// <param name="source">The source.</param>
    /// <param name="trace">Gets a line on each way that gave nothing.</param>
    internal IEnumerable<(string Origin, ReadOnlyMemory<byte> Image)> Candidates(KernelSource source, ICollection<string> trace)
    {
        string file = source.Name[..^".cu".Length];
        if (ShippedKernels.Cubin(file, _capability.Value) is { } cubin)
        {
            yield return ("shipped cubin", cubin);
        }
        else
        {
            trace.Add(ShippedKernels.Count == 0 ? "this build carries no binaries" : "this build carries no binary of this architecture and source");
        }

        var (compiler, search) = _compiler.Value;
        if (compiler is null)
        {
            trace.Add($"NVRTC was not found ({string.Join(", ", search)})");
        }
        else
        {
            string target = compiler.Target(source, _capability.Value);
            string key = KernelCache.Key(source, KernelCompiler.Options(target), compiler.Nvrtc.Version);
            if (_cache.TryRead(key) is { } kept)
            {
                yield return ($"cached {target}", kept);
            }

            if (TryCompile(compiler, source, target, trace) is { } compiled)
            {
                if (!_cache.TryWrite(key, compiled))
                {
                    trace.Add($"the cache folder {_cache.Folder} cannot be written");
                }

                yield return ($"{target} by NVRTC {compiler.Nvrtc.Version}", compiled);
            }
        }

        if (ShippedKernels.Ptx(file, _capability.Value) is { } ptx)
        {
            yield return ("shipped PTX", ptx);
        }
    }

    /// <summary>The newest compiler not above a driver's version, with what was tried.</summary>
    /// <param name="newestMajor">Major number of the driver's CUDA version.</param>
    internal static (KernelCompiler? Compiler, IReadOnlyList<string> Trace) FindCompiler(int newestMajor)
    {
        var trace = new List<string>();
        var nvrtc = Nvrtc.Find(newestMajor, trace);
        return (nvrtc is null ? null : new KernelCompiler(nvrtc), trace);
    }

    internal static (int Major, int Minor) CapabilityOf(CudaDriver driver, int device) => (
        driver.Attribute(device, DeviceProperty.ComputeCapabilityMajor), driver.Attribute(device, DeviceProperty.ComputeCapabilityMinor));

    private static string Advice =>
        $"Install NVRTC (Debian: libnvrtc11.2; or the CUDA toolkit) of a version not above the driver's, or name its file in {Nvrtc.OverrideVariable} (pip's nvidia-cuda-nvrtc puts it into site-packages, where nobody looks for it).";

    private static ReadOnlyMemory<byte>? TryCompile(KernelCompiler compiler, KernelSource source, string target, ICollection<string> trace)
    {
        try
        {
            return compiler.Compile(source, target).Image;
        }
        catch (CudaException e)
        {
            trace.Add(e.Message.TrimEnd('.'));
            return null;
        }
    }
}
