using NUnit.Framework;
using Spk.Interop.Cuda;

namespace Spk.Tests.Emulator;

[NonParallelizable]
public unsafe class EmulatorStreamTests
{
    private const int LaunchFailed = 719, CaptureUnsupported = 900, CaptureInvalidated = 901;

    [Test]
    public void A_captured_graph_runs_only_when_replayed()
    {
        using var cuda = new EmulatedDevice();
        nint x = cuda.Upload(1, 2, 3), sum = cuda.Upload(0, 0, 0), copy = cuda.Allocate(3);

        cuda.Driver.BeginCapture(cuda.Stream);
        cuda.Add(x, sum, sum, 3);
        cuda.Driver.CopyOnDevice(copy, sum, 12, cuda.Stream);
        cuda.Driver.Fill(copy, 0, 4, cuda.Stream);
        var graph = cuda.Driver.EndCapture(cuda.Stream);
        var replay = cuda.Driver.Instantiate(graph);
        cuda.Driver.Destroy(graph);

        Assert.That(cuda.Download(sum, 3), Is.EqualTo(new float[] { 0, 0, 0 }), "before the first replay");
        cuda.Driver.Launch(replay, cuda.Stream);
        Assert.That(cuda.Download(sum, 3), Is.EqualTo(new float[] { 1, 2, 3 }));
        cuda.Driver.Launch(replay, cuda.Stream);
        Assert.That(cuda.Download(sum, 3), Is.EqualTo(new float[] { 2, 4, 6 }));
        Assert.That(cuda.Download(copy, 3), Is.EqualTo(new float[] { 0, 4, 6 }));
        cuda.Driver.Destroy(replay);
    }

    [Test]
    public void Waiting_and_allocating_while_capturing_are_errors_and_break_the_capture()
    {
        using var cuda = new EmulatedDevice();
        nint x = cuda.Upload(1);
        foreach (var refused in new Action[]
        {
            () => cuda.Driver.Synchronize(cuda.Stream), () => cuda.Driver.MemoryAllocate(4), () => cuda.Driver.MemoryFree(x), () => cuda.Driver.HostAllocate(4),
        })
        {
            cuda.Driver.BeginCapture(cuda.Stream);
            Assert.That(() => refused(), Throws.TypeOf<CudaException>().With.Property(nameof(CudaException.Code)).EqualTo(CaptureUnsupported));
            Assert.That(() => cuda.Driver.EndCapture(cuda.Stream), Throws.TypeOf<CudaException>().With.Property(nameof(CudaException.Code)).EqualTo(CaptureInvalidated));
        }

        Assert.That(cuda.Download(x, 1), Is.EqualTo(new float[] { 1 }));
    }

    [Test]
    public void Lazy_streams_do_nothing_until_somebody_waits()
    {
        using var cuda = new EmulatedDevice();
        nint x = cuda.Upload(1, 2, 3), pinned = cuda.Driver.HostAllocate(12);
        var result = new Span<float>((void*)pinned, 3);
        result.Clear();
        cuda.Set("lazy_streams", 1);

        cuda.Add(x, x, x, 3);
        cuda.Driver.CopyToHost((void*)pinned, x, 12, cuda.Stream);

        Assert.That(result.ToArray(), Is.EqualTo(new float[] { 0, 0, 0 }));
        cuda.Driver.Synchronize(cuda.Stream);
        Assert.That(new Span<float>((void*)pinned, 3).ToArray(), Is.EqualTo(new float[] { 2, 4, 6 }));
        cuda.Driver.HostFree(pinned);
    }

    [Test]
    public void A_failed_kernel_of_a_lazy_stream_surfaces_at_the_wait()
    {
        using var cuda = new EmulatedDevice();
        cuda.Set("lazy_streams", 1);
        nint y = cuda.Allocate(64);

        cuda.Launch("emulator_test_divergent_barrier", new LaunchShape(1, 64), y, 3);

        Assert.That(Assert.Throws<CudaException>(() => cuda.Driver.Synchronize(cuda.Stream, "the kernel"))!.Code, Is.EqualTo(LaunchFailed));
    }

    [Test]
    public void Events_order_streams_and_measure_time()
    {
        using var cuda = new EmulatedDevice();
        nint x = cuda.Upload(1, 2, 3), y = cuda.Allocate(3);
        cuda.Set("lazy_streams", 1);
        var producer = cuda.Driver.CreateStream();
        CudaEvent start = cuda.Driver.CreateEvent(timing: true), ready = cuda.Driver.CreateEvent(timing: true);

        cuda.Driver.Record(start, producer);
        cuda.Driver.CopyOnDevice(y, x, 12, producer);
        cuda.Driver.Record(ready, producer);
        cuda.Driver.Wait(cuda.Stream, ready);
        cuda.Add(x, y, y, 3);

        Assert.That(cuda.Download(y, 3), Is.EqualTo(new float[] { 2, 4, 6 }));
        Assert.That(cuda.Driver.ElapsedMilliseconds(start, ready), Is.GreaterThanOrEqualTo(0f));
        cuda.Driver.Destroy(start);
        cuda.Driver.Destroy(ready);
        cuda.Driver.Destroy(producer);
    }
}
