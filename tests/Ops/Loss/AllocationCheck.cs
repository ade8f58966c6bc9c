using NUnit.Framework;

namespace Spk.Tests.Ops.Loss;

/// <summary>Managed allocations of a step in steady state, over all threads.</summary>
internal static class AllocationCheck
{
    private const int Steps = 100;
    private const int SmallestObject = 24;

    public static void IsZero(Action step)
    {
        // Long enough for the tiers of the compiler to settle.
        for (int i = 0; i < 40; i++)
        {
            step();
        }

        // The test host allocates a few hundred bytes a second on its own threads. A step that allocates does so every time,
        // hence the bound for all threads is one object a step, and for the thread that runs the steps it is nothing at all.
        long least = long.MaxValue, own = 0;
        for (int attempt = 0; attempt < 5 && least >= Steps * SmallestObject; attempt++)
        {
            long ownBefore = GC.GetAllocatedBytesForCurrentThread();
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < Steps; i++)
            {
                step();
            }

            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
            own = GC.GetAllocatedBytesForCurrentThread() - ownBefore;
        }

        Assert.That(own, Is.Zero, "bytes allocated in 100 steps by their own thread");
        Assert.That(least, Is.LessThan(Steps * SmallestObject), "bytes allocated in 100 steps by all threads");
    }
}
