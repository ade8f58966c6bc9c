using System.Diagnostics;
using NUnit.Framework;

namespace Spk.Tests.Support;

/// <summary>Measures steady-state allocation of a repeated step.</summary>
public static class Allocations
{
    // The runtime's vector functions box until their first compilation is replaced, after some 30 calls and a little time.
    private const int WarmUp = 40;
    private const int Steps = 100;
    private const int Windows = 10;
    private const int SmallestObject = 24;

    /// <summary>
    /// Asserts that 100 steps allocate nothing: on the calling thread exactly nothing, and over all threads less than the
    /// smallest object a step, besides what the test host allocates with time. What a step itself allocates is in every window of
    /// 100 steps; the quietest counts.
    /// </summary>
    public static void AssertNone(Action step)
    {
        for (int i = 0; i < WarmUp; i++)
        {
            step();
        }

        long own = long.MaxValue, all = long.MaxValue;
        double hostRate = 0;
        var pause = TimeSpan.FromMilliseconds(20);
        for (int window = 0; window < Windows && (own > 0 || all >= Steps * SmallestObject); window++)
        {
            // The test host's timers and thread pool allocate some hundreds of bytes a second whatever the steps do, and more on a busy machine:
            // a pause shows how many. Only after a window that was not quiet is a pause as long as the window before it.
            hostRate = Math.Max(hostRate, AllocatedPerSecond(pause));
            long started = Stopwatch.GetTimestamp();
            long allBefore = GC.GetTotalAllocatedBytes(precise: true);
            long ownBefore = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < Steps; i++)
            {
                step();
            }

            own = Math.Min(own, GC.GetAllocatedBytesForCurrentThread() - ownBefore);
            long allocated = GC.GetTotalAllocatedBytes(precise: true) - allBefore;
            pause = Stopwatch.GetElapsedTime(started);
            all = Math.Min(all, allocated - (long)(pause.TotalSeconds * hostRate));
        }

        Assert.That(own, Is.Zero, $"bytes allocated by {Steps} steps on their own thread");
        Assert.That(all, Is.LessThan(Steps * SmallestObject), $"bytes allocated during {Steps} steps on all threads, besides {hostRate:F0} a second by the host");
    }

    private static double AllocatedPerSecond(TimeSpan pause)
    {
        long started = Stopwatch.GetTimestamp();
        long before = GC.GetTotalAllocatedBytes(precise: true);
        Thread.Sleep(pause);
        return (GC.GetTotalAllocatedBytes(precise: true) - before) / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
