using NUnit.Framework;

namespace Spk.Tests.Ops;

/// <summary>
/// Allocation of a step that runs on the calling thread alone (a device of one thread): immune to the test host's timers, so
/// that it can demand exactly nothing however busy the machine is.
/// </summary>
internal static class OwnThreadAllocations
{
    // The runtime's vector functions box until their first compilation is replaced, after 30 calls and some time.
    private const int WarmUp = 40, Steps = 20, Windows = 20;

    public static void AssertNone(Action step)
    {
        for (int i = 0; i < WarmUp; i++)
        {
            step();
        }

        long least = long.MaxValue;
        for (int window = 0; window < Windows && least > 0; window++)
        {
            Thread.Sleep(50);
            long before = GC.GetAllocatedBytesForCurrentThread();
            for (int i = 0; i < Steps; i++)
            {
                step();
            }

            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }

        Assert.That(least, Is.Zero, "bytes allocated by the quietest 20 steps");
    }
}
