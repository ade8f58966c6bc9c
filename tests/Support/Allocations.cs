using NUnit.Framework;

namespace Spk.Tests.Support;

/// <summary>Measures steady-state allocation of a repeated step over all threads.</summary>
public static class Allocations
{
    private const int WarmUp = 20;
    private const int Steps = 100;
    private const int Windows = 5;

    /// <summary>
    /// Asserts that 100 steps allocate nothing on any thread. The test host's own threads allocate a few bytes now and then,
    /// so the quietest of five windows counts: what the step itself allocates would be in every window.
    /// </summary>
    public static void AssertNone(Action step)
    {
        for (int i = 0; i < WarmUp; i++)
        {
            step();
        }

        long least = long.MaxValue;
        for (int window = 0; window < Windows && least > 0; window++)
        {
            long before = GC.GetTotalAllocatedBytes(precise: true);
            for (int i = 0; i < Steps; i++)
            {
                step();
            }

            least = Math.Min(least, GC.GetTotalAllocatedBytes(precise: true) - before);
        }

        Assert.That(least, Is.Zero, $"bytes allocated by {Steps} steps");
    }
}
