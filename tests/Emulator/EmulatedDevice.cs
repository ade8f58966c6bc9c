using NUnit.Framework;
using Spk.Interop.Cuda;
using Spk.Tests.Support;

namespace Spk.Tests.Emulator;

/// <summary>The emulator through our driver bindings, with its own small test kernels; switches go back when it is disposed.</summary>
internal sealed unsafe class EmulatedDevice : IDisposable
{
    private static readonly Lazy<CudaDriver?> Library =
        new(() => File.Exists(EmulatorSettings.LibraryPath) ? CudaDriver.Load(EmulatorSettings.LibraryPath) : null);

    private readonly List<nint> _allocations = [];

    public EmulatedDevice()
    {
        if (Library.Value is not { } driver)
        {
            Assert.Ignore("skipped: the CUDA emulator was not built (it needs cmake and a C++ compiler)");
            throw new InvalidOperationException();
        }

        Driver = driver;
        Stream = driver.CreateStream();
        Module = driver.LoadModule([0], "emulator tests");
    }

    public CudaDriver Driver { get; }

    public CudaStream Stream { get; }

    public CudaModule Module { get; }

    public void Set(string name, int value) => EmulatorSettings.Set(Driver, name, value);

    public nint Allocate(int floats)
    {
        nint address = Driver.MemoryAllocate(floats * sizeof(float));
        _allocations.Add(address);
        return address;
    }

    public nint Upload(params ReadOnlySpan<float> values)
    {
        nint address = Allocate(values.Length);
        fixed (float* host = values)
        {
            Driver.CopyToDevice(address, host, values.Length * sizeof(float), Stream);
            Driver.Synchronize(Stream);
        }

        return address;
    }

    public float[] Download(nint address, int floats)
    {
        var values = new float[floats];
        fixed (float* host = values)
        {
            Driver.CopyToHost(host, address, floats * sizeof(float), Stream);
            Driver.Synchronize(Stream);
        }

        return values;
    }

    public void Launch(string kernel, in LaunchShape shape, params ReadOnlySpan<KernelArgument> arguments) =>
        Driver.Launch(Driver.GetFunction(Module, kernel), kernel, shape, Stream, arguments);

    /// <summary>sum = a + b, by the kernel.</summary>
    public void Add(nint a, nint b, nint sum, int count) =>
        Launch("emulator_test_vector_add", new LaunchShape((count + 31) / 32, 32), a, b, sum, count);

    public void Dispose()
    {
        Set("order", 0);
        Set("workers", 1);
        Set("lazy_streams", 0);
        Set("strict_memory", 0);
        Set("memory_mib", 4096);
        Driver.Destroy(Stream);
        foreach (nint address in _allocations)
        {
            Driver.MemoryFree(address);
        }
    }
}
