using NUnit.Framework;
using Spk.Interop.Cuda;

namespace Spk.Tests.Emulator;

[NonParallelizable]
public class EmulatorLaunchTests
{
    private const int InvalidValue = 1, NotFound = 500, LaunchFailed = 719;

    [Test]
    public void The_device_says_what_it_is()
    {
        using var cuda = new EmulatedDevice();
        int device = cuda.Driver.Device(0);

        Assert.Multiple(() =>
        {
            Assert.That(cuda.Driver.IsEmulator);
            Assert.That(cuda.Driver.DeviceCount, Is.EqualTo(1));
            Assert.That(cuda.Driver.DeviceName(device), Is.EqualTo("CPU emulator"));
            Assert.That(cuda.Driver.Attribute(device, DeviceProperty.ComputeCapabilityMajor), Is.EqualTo(9));
            Assert.That(cuda.Driver.Attribute(device, DeviceProperty.ComputeCapabilityMinor), Is.Zero);
            Assert.That(cuda.Driver.Attribute(device, DeviceProperty.MultiprocessorCount), Is.EqualTo(4));
            Assert.That(cuda.Driver.Attribute(device, DeviceProperty.MaxThreadsPerBlock), Is.EqualTo(1024));
            Assert.That(cuda.Driver.Attribute(device, DeviceProperty.MaxSharedMemoryPerBlockOptIn), Is.EqualTo(232448));
        });
    }

    [Test]
    public void Kernels_compute_in_every_thread_order([Values(0, 1, 2)] int order, [Values(1, 2)] int workers)
    {
        using var cuda = new EmulatedDevice();
        cuda.Set("order", order);
        cuda.Set("workers", workers);
        float[] a = [.. Enumerable.Range(0, 100).Select(i => i * 0.5f)], b = [.. Enumerable.Range(0, 100).Select(i => 100f - i)];
        nint x = cuda.Upload(a), y = cuda.Upload(b), sum = cuda.Allocate(100), total = cuda.Allocate(2);

        cuda.Add(x, y, sum, 100);
        cuda.Launch("emulator_test_block_sum", new LaunchShape(2, 64), sum, total, 100);

        float[] want = [.. a.Zip(b, (p, q) => p + q)];
        Assert.That(cuda.Download(sum, 100), Is.EqualTo(want));
        Assert.That(cuda.Download(total, 2), Is.EqualTo(new[] { want[..64].Sum(), want[64..].Sum() }).Within(1e-3));
    }

    [Test]
    public void More_arguments_than_a_launch_holds_are_refused()
    {
        using var cuda = new EmulatedDevice();

        Assert.That(
            () => cuda.Launch("emulator_test_vector_add", new LaunchShape(1, 32), new KernelArgument[33]),
            Throws.TypeOf<ArgumentException>().With.Message.Contains("given 33 arguments; at most 32"));
    }

    [Test]
    public void A_missing_barrier_is_wrong_in_some_thread_order()
    {
        using var cuda = new EmulatedDevice();
        nint x = cuda.Upload([.. Enumerable.Repeat(1f, 128)]), sum = cuda.Allocate(1);
        int wrong = 0;
        for (int order = 0; order < 3; order++)
        {
            cuda.Set("order", order);
            cuda.Launch("emulator_test_missing_barrier", new LaunchShape(1, 128), x, sum, 128);
            wrong += cuda.Download(sum, 1)[0] == 128f ? 0 : 1;
        }

        Assert.That(wrong, Is.GreaterThan(0));
    }

    [Test]
    public void A_kernel_that_is_not_there_is_named()
    {
        using var cuda = new EmulatedDevice();

        var e = Assert.Throws<CudaException>(() => cuda.Driver.GetFunction(cuda.Module, "no_such_kernel"))!;

        Assert.That(e.Code, Is.EqualTo(NotFound));
        Assert.That(e.Message, Does.Contain("no_such_kernel").And.Contain("CUDA_ERROR_NOT_FOUND"));
    }

    [Test]
    public void A_deadlock_fails_the_launch_and_says_who_waits()
    {
        using var cuda = new EmulatedDevice();
        nint y = cuda.Allocate(64);

        var e = Assert.Throws<CudaException>(() => cuda.Launch("emulator_test_divergent_barrier", new LaunchShape(1, 64), y, 40))!;

        Assert.That(e.Code, Is.EqualTo(LaunchFailed));
        Assert.That(e.Message, Does.Contain("40 threads at __syncthreads, 24 at a warp collective"));
    }

    [TestCase(1, 1025, 0)]
    [TestCase(0, 32, 0)]
    [TestCase(1, 0, 0)]
    [TestCase(1, 32, (48 * 1024) + 4)]
    public void Launches_that_a_device_cannot_take_are_refused(int grid, int block, int sharedBytes)
    {
        using var cuda = new EmulatedDevice();
        nint y = cuda.Allocate(64);

        var e = Assert.Throws<CudaException>(
            () => cuda.Launch("emulator_test_uninitialised_shared", new LaunchShape(grid, block, SharedBytes: sharedBytes), y))!;

        Assert.That(e.Code, Is.EqualTo(InvalidValue));
    }

    [Test]
    public void More_shared_memory_needs_the_attribute()
    {
        using var cuda = new EmulatedDevice();
        var kernel = cuda.Driver.GetFunction(cuda.Module, "emulator_test_uninitialised_shared");
        int before = cuda.Driver.GetAttribute(kernel, FunctionProperty.MaxDynamicSharedSizeBytes);
        cuda.Driver.SetAttribute(kernel, FunctionProperty.MaxDynamicSharedSizeBytes, 64 * 1024);
        nint y = cuda.Allocate(64);

        cuda.Launch("emulator_test_uninitialised_shared", new LaunchShape(1, 32, SharedBytes: 64 * 1024), y);

        Assert.That(cuda.Download(y, 64), Is.All.NaN, "shared memory that nobody wrote");
        Assert.That(
            Assert.Throws<CudaException>(() => cuda.Driver.SetAttribute(kernel, FunctionProperty.MaxDynamicSharedSizeBytes, 232449))!.Code,
            Is.EqualTo(InvalidValue));
        cuda.Driver.SetAttribute(kernel, FunctionProperty.MaxDynamicSharedSizeBytes, before);
    }
}
