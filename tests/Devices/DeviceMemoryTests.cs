using NUnit.Framework;
using Spk.Engine.Devices.Cuda;
using Spk.Engine.Tensors;
using Spk.Interop;
using Spk.Tests.Support;

namespace Spk.Tests.Devices;

[TestFixtureSource(typeof(TestDevice), nameof(TestDevice.All))]
public class DeviceMemoryTests(TestDevice on)
{
    [Test]
    public void Memory_is_counted_by_purpose()
    {
        using var device = on.Open();
        device.AllocatePersistent(new Shape(1000));
        device.Workspace.Rent(new Shape(500_000));
        device.Workspace.Reset();
        device.Workspace.Rent(new Shape(100_000));
        var memory = device.Memory;
        Assert.Multiple(() =>
        {
            Assert.That(memory.Persistent, Is.EqualTo(4000));
            Assert.That(memory.Used, Is.EqualTo(400_000));
            Assert.That(memory.Peak, Is.EqualTo(2_000_000));
            Assert.That(memory.Reserved, Is.GreaterThanOrEqualTo(memory.Peak));
            Assert.That(memory.Held, Is.EqualTo(memory.Persistent + memory.Reserved));
            Assert.That(memory.Free, on.IsCuda ? Is.Positive : Is.Null);
        });
    }

    [Test]
    public void Too_large_a_request_says_what_is_held_and_changes_nothing()
    {
        if (!on.IsCuda)
        {
            Assert.Ignore("skipped, optional: the operating system decides how much a CPU device may allocate");
        }

        using var device = on.Open();
        device.AllocatePersistent(new Shape(3 << 20));
        var before = device.Memory;
        Assert.That(
            () =>
            {
                for (int i = 0; i < 100_000; i++)
                {
                    device.Workspace.Rent(new Shape(int.MaxValue));
                }
            },
            Throws.TypeOf<OutOfDeviceMemoryException>().With.Message.Match(@"Out of device memory on .*: 8192 MiB more were needed, .* MiB are free .* holds 12 MiB for parameters"));
        device.Workspace.Trim();
        Assert.That(device.Memory with { Free = null }, Is.EqualTo(before with { Free = null }));
    }

    // 15 tensors of 4 MiB fit into 64 MiB, though not in blocks that double, nor with an eighth more for the second step.
    [Test]
    public void A_step_may_take_nearly_all_of_the_memory()
    {
        using var device = on.Open();
        if (device is not CudaDevice { Driver: var driver } || !EmulatorSettings.IsEmulator(driver))
        {
            Assert.Ignore("skipped, optional: only the emulator's memory can be made small");
            return;
        }

        EmulatorSettings.Set(driver, "memory_mib", 64);
        try
        {
            for (int step = 0; step < 3; step++)
            {
                device.Workspace.Reset();
                for (int i = 0; i < 15; i++)
                {
                    device.Workspace.Rent(new Shape(1 << 20));
                }
            }

            Assert.That(device.Memory.Peak, Is.EqualTo(15L << 22));
        }
        finally
        {
            EmulatorSettings.Set(driver, "memory_mib", 4096);
        }
    }
}
