using NUnit.Framework;

namespace Spk.Tests.Ops.Loss;

/// <summary>Managed allocations of a step in steady state, over all threads.</summary>
internal static class AllocationCheck
{
    public static void IsZero(Action step)
    {
        // Long enough for the tiers of the compiler to settle, which allocate on their own threads.
        for (int i = 0; i < 60; i++)
        {
            step();
        }

        // Something else in the process may allocate in the background; a step that allocates does so every time.
        long least = long.MaxValue;
        for (int attempt = 0; attempt < 5 && least != 0; attempt++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < 100; i++)
            {
                step();
            }

            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        Assert.That(least, Is.Zero, "bytes allocated in 100 steps");
    }
}
