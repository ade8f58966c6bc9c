using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Devices.Cuda;
using Spk.Interop;
using Spk.Interop.Cuda;
using Spk.Tests.Cli;
using Spk.Tests.Support;

namespace Spk.Tests.Cuda;

/// <summary>Which device is opened, and what is said where none can be.</summary>
public class CudaProbeTests
{
    [Test]
    public void A_driver_that_is_not_there_is_named_with_the_fix()
    {
        using var driver = new EnvironmentValue(CudaProbe.OverrideVariable, "/nowhere/libcuda.so.1");
        var error = Assert.Throws<DeviceUnavailableException>(() => Device.Open("cuda"));
        Assert.That(error!.Message, Is.EqualTo(
            "Device 'cuda' cannot be used: /nowhere/libcuda.so.1: not found. Correct or unset SPK_CUDA_DRIVER, or use --device cpu."));
    }

    [Test]
    public void A_file_that_is_no_library_is_named()
    {
        using var folder = new TemporaryFolder();
        using var driver = new EnvironmentValue(CudaProbe.OverrideVariable, folder.Text("libcuda.so.1", "text"));
        Assert.That(CudaProbe.Run().Found, Is.False);
        Assert.That(CudaProbe.Run().Trace.Single(), Does.Contain("libcuda.so.1: ").And.Not.Contain("not found"));
    }

    [Test]
    public void Auto_falls_back_to_the_CPU_and_says_why()
    {
        using var driver = new EnvironmentValue(CudaProbe.OverrideVariable, "/nowhere/libcuda.so.1");
        using var device = Device.Open("auto", 1, out string reason);
        Assert.That(device, Is.TypeOf<CpuDevice>());
        Assert.That(reason, Is.EqualTo("no GPU: /nowhere/libcuda.so.1: not found"));
    }

    [TestCase("cuda:x")]
    [TestCase("cuda:-1")]
    [TestCase("cuda:")]
    [TestCase("cudas")]
    public void Names_that_are_none(string name) =>
        Assert.That(() => Device.Open(name), Throws.TypeOf<InvalidOptionException>().With.Message.Contains(name));

    [Test]
    public void The_emulator_is_opened_when_asked_for_and_names_itself()
    {
        using var driver = new EnvironmentValue(CudaProbe.OverrideVariable, Emulator());
        using var device = Device.Open("cuda:0");
        Assert.That(device, Is.TypeOf<CudaDevice>());
        Assert.That(device.Name, Does.Contain("emulat").IgnoreCase);
        Assert.That(((CudaDevice)device).Driver.IsEmulator);
        Assert.That(() => Device.Open("cuda:7"), Throws.TypeOf<DeviceUnavailableException>().With.Message.Contains("cuda:7"));
    }

    [Test]
    public void Auto_never_takes_the_emulator()
    {
        using var driver = new EnvironmentValue(CudaProbe.OverrideVariable, Emulator());
        using var device = Device.Open("auto", 1, out string reason);
        Assert.That(device, Is.TypeOf<CpuDevice>());
        Assert.That(reason, Does.Contain("emulator"));
    }

    [Test]
    public void Doctor_names_the_emulator()
    {
        using var driver = new EnvironmentValue(CudaProbe.OverrideVariable, Emulator());
        var run = CommandLine.Run("doctor");
        Assert.That(run.Code, Is.Zero);
        Assert.That(run.Output, Does.Contain("the emulator for CUDA").And.Contain("(SPK_CUDA_DRIVER is set)").And.Contain("compute capability").And.Contain("linked into the emulator"));
    }

    [Test]
    public void Doctor_says_what_to_install()
    {
        using var driver = new EnvironmentValue(CudaProbe.OverrideVariable, "/nowhere/libcuda.so.1");
        using var nvrtc = new EnvironmentValue(Nvrtc.OverrideVariable, "/nowhere/libnvrtc.so.12");
        using var folder = new TemporaryFolder();
        using var cache = new EnvironmentValue(KernelCache.OverrideVariable, folder.Root);
        var run = CommandLine.Run("doctor");
        Assert.That(run.Output, Does.Contain("/nowhere/libcuda.so.1: not found")
            .And.Contain("/nowhere/libnvrtc.so.12: not found").And.Contain("cublas").And.Contain(folder.At("kernels")));
    }

    [Test]
    public void An_argument_of_the_wrong_size_is_refused_at_the_launch()
    {
        using var device = new CudaDevice(CudaDriver.Load(Emulator()));
        string? name = FirstKernel();
        if (name is null)
        {
            Assert.Ignore("skipped: the emulator holds no kernels yet");
        }

        var kernel = new KernelId("any", name!);
        Assert.That(
            () => device.Launch(kernel, new LaunchShape(1, 32), 1),
            Throws.TypeOf<ArgumentException>().With.Message.Contains(name!).And.Message.Contains("given arguments of 4 bytes"));
    }

    private static string? FirstKernel() => KernelSources.Files
        .Select(file => KernelSources.Get(file).Text)
        .Select(text => System.Text.RegularExpressions.Regex.Match(text, @"EXPORT_KERNEL\((\w+)\)"))
        .FirstOrDefault(match => match.Success)?.Groups[1].Value;

    private static string Emulator()
    {
        if (!File.Exists(EmulatorSettings.LibraryPath))
        {
            Assert.Ignore("skipped: the CUDA emulator was not built (it needs cmake and a C++ compiler)");
        }

        return EmulatorSettings.LibraryPath;
    }
}
