using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Interop.Cuda;

namespace Spk.Tests.Support;

/// <summary>
/// A device that a fixture's tests run on: the CPU, or our CUDA kernels in the emulator, whose threads run in ascending,
/// descending or shuffled order (a missing barrier shows in at least one of them).
/// </summary>
public sealed class TestDevice
{
    private static readonly Lazy<CudaDriver?> Emulator = new(Load);

    // Making a GPU's context anew for every test takes longer than the tests.
    private static readonly Lazy<Device> KeptOpen = new(() => Device.Open("cuda"));

    private TestDevice(string name, int? threadOrder) => (Name, ThreadOrder) = (name, threadOrder);

    public static TestDevice Cpu { get; } = new("cpu", null);

    /// <summary>For <c>[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]</c>.</summary>
    public static IEnumerable<TestDevice> All { get; } = UsesGpu
        ? [Cpu, new("cuda, GPU", -1)]
        : [Cpu, new("cuda, ascending threads", 0), new("cuda, descending threads", 1), new("cuda, shuffled threads", 2)];

    /// <summary>SPK_TEST_GPU=1 runs the tests on the machine's GPU instead of the emulator.</summary>
    private static bool UsesGpu => Environment.GetEnvironmentVariable("SPK_TEST_GPU") is "1";

    /// <summary>Those that run our CUDA kernels.</summary>
    public static IEnumerable<TestDevice> Cuda { get; } = All.Where(device => device.IsCuda);

    public string Name { get; }

    public bool IsCuda => ThreadOrder is not null;

    /// <summary>What it can compute products in; the CPU knows f32 only.</summary>
    public IEnumerable<Precision> Precisions => IsCuda ? Enum.GetValues<Precision>() : [Precision.Fp32];

    /// <summary>The same, and bf16 a second time on the warpgroups of a device of compute capability 9.0, however small the product.</summary>
    public IEnumerable<(Precision Precision, bool OnWarpgroups)> Arithmetics =>
        Precisions.Select(precision => (precision, false)).Concat(IsCuda ? [(Precision.Bf16, true)] : []);

    private int? ThreadOrder { get; }

    /// <summary>Opens it; the test is skipped where there is no emulator. Threads are those of the CPU: a GPU has its own.</summary>
    public Device Open(int threads = 2, Precision precision = Precision.Fp32, bool onWarpgroups = false)
    {
        if (ThreadOrder is not { } order)
        {
            return new CpuDevice(threads);
        }

        if (UsesGpu)
        {
            _ = KeptOpen.Value;
            var gpu = (CudaDevice)Device.Open("cuda");
            (gpu.Precision, gpu.AlwaysOnWarpgroups) = (precision, onWarpgroups);
            return gpu;
        }

        if (Emulator.Value is not { } driver)
        {
            Assert.Ignore("skipped: the CUDA emulator was not built (it needs cmake and a C++ compiler)");
            throw new InvalidOperationException();
        }

        EmulatorSettings.Set(driver, "order", order);
        return new CudaDevice(driver) { Precision = precision, AlwaysOnWarpgroups = onWarpgroups };
    }

    /// <summary>A device of compute capability 9.0 for bf16 on warpgroups with tensor copies: the emulator is one; a GPU, its driver or its binaries may be older.</summary>
    internal CudaDevice OpenHopper(KernelId kernel)
    {
        var device = (CudaDevice)Open(precision: Precision.Bf16, onWarpgroups: true);
        if (!EmulatorSettings.IsEmulator(device.Driver) && !(device.ComputeCapability == (9, 0) && device.Driver.HasTensorMaps && device.Has(kernel)))
        {
            device.Dispose();
            Assert.Ignore("skipped, optional: not a GPU of compute capability 9.0 with binaries by NVRTC 12");
        }

        return device;
    }

    /// <summary>
    /// Skips all orders of threads but one: for tests of what the order cannot change, such as memory that is taken or threads of the host.
    /// </summary>
    public void OneOrderIsEnough()
    {
        if (ThreadOrder > 0)
        {
            Assert.Ignore("skipped, optional: what the order of threads cannot change is tested in one order");
        }
    }

    public override string ToString() => Name;

    private static CudaDriver? Load()
    {
        string path = EmulatorSettings.LibraryPath;
        return File.Exists(path) ? CudaDriver.Load(path) : null;
    }
}
