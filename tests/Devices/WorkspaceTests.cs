using NUnit.Framework;
using Spk.Engine.Devices;
using Spk.Engine.Tensors;
using Spk.Interop;

namespace Spk.Tests.Devices;

public class WorkspaceTests
{
    [Test]
    public void The_second_pass_gets_the_same_memory_and_allocates_nothing()
    {
        using var device = new CpuDevice(1);
        Step(device);
        Step(device);
        var addresses = Step(device);
        long reserved = device.Workspace.ReservedBytes;
        long before = GC.GetAllocatedBytesForCurrentThread();
        device.Workspace.Reset();
        var first = device.Workspace.Rent(new Shape(1000));
        var second = device.Workspace.Rent(new Shape(3, 70000));
        Assert.That(GC.GetAllocatedBytesForCurrentThread() - before, Is.Zero);
        Assert.That((first.Address, second.Address), Is.EqualTo(addresses));
        Assert.That(device.Workspace.ReservedBytes, Is.EqualTo(reserved));
    }

    [Test]
    public void Tensors_are_aligned_and_do_not_overlap()
    {
        using var device = new CpuDevice(1);
        var tensors = Enumerable.Range(1, 50).Select(i => device.Workspace.Rent(new Shape(i * 7))).ToList();
        for (int i = 0; i < tensors.Count; i++)
        {
            Assert.That((long)tensors[i].Address % 64, Is.Zero);
            tensors[i].AsSpan().Fill(i);
        }

        for (int i = 0; i < tensors.Count; i++)
        {
            Assert.That(tensors[i].AsSpan().ToArray(), Is.All.EqualTo((float)i));
        }
    }

    [Test]
    public void Channel_views_share_memory_and_gradient()
    {
        using var device = new CpuDevice(1);
        var whole = device.Workspace.Rent(new Shape(2, 3, 4));
        whole.AsSpan().Clear();
        whole.RequiresGrad = true;
        var view = whole.Channels(1, 2);
        view.CopyFrom([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
        Assert.That(whole.AsSpan()[..8].ToArray(), Is.EqualTo(new float[] { 0, 1, 2, 0, 0, 3, 4, 0 }));
        Assert.That(view.Grad, Is.Null);
        var gradient = view.GradForWrite(out bool accumulate);
        Assert.That(accumulate, Is.True, "the gradient of a view lies in a zeroed whole");
        gradient.CopyFrom(Enumerable.Repeat(2f, 12).ToArray());
        Assert.That(whole.Grad!.AsSpan()[..4].ToArray(), Is.EqualTo(new float[] { 0, 2, 2, 0 }));
    }

    [Test]
    public void Shapes_beyond_the_limit_are_refused()
    {
        Assert.That(() => new Shape(70000, 70000), Throws.TypeOf<ShapeException>().With.Message.Contains("smaller batch"));
        Assert.That(() => new Shape(-1), Throws.TypeOf<ShapeException>());
    }

    [Test]
    public void Unknown_and_absent_devices_are_explained()
    {
        Assert.That(() => Device.Open("gpu"), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("auto, cpu, cuda"));
        Assert.That(() => Device.Open("cpu", -1), Throws.TypeOf<InvalidOptionException>().With.Message.Contains("threads = -1"));
    }

    private static (nint, nint) Step(CpuDevice device)
    {
        device.Workspace.Reset();
        return (device.Workspace.Rent(new Shape(1000)).Address, device.Workspace.Rent(new Shape(3, 70000)).Address);
    }
}
