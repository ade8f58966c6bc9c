using NUnit.Framework;

namespace Spk.Tests.Support;

/// <summary>Measures steady-state allocation of a repeated step over all threads.</summary>
public static class Allocations
{
    private const int WarmUp = 20;
    private const int Steps = 100;
    private const int Windows = 3;

    // A timer of the test host ticks about twice a second and allocates some 170 bytes; it can hit a few of the steps.
    private const int StepsHitByTheHost = 5;

    /// <summary>
    /// Asserts that a step allocates nothing on any thread, step by step over 100 steps: in the quietest of three windows no
    /// more steps may show an allocation than the test host's own timer explains.
    /// </summary>
    public static void AssertNone(Action step)
    {
        for (int i = 0; i < WarmUp; i++)
        {
            step();
        }

        int least = int.MaxValue;
        for (int window = 0; window < Windows && least > 0; window++)
        {
            int allocating = 0;
            for (int i = 0; i < Steps; i++)
            {
                long before = GC.GetTotalAllocatedBytes(precise: true);
                step();
                allocating += GC.GetTotalAllocatedBytes(precise: true) > before ? 1 : 0;
            }

            least = Math.Min(least, allocating);
        }

        Assert.That(least, Is.LessThanOrEqualTo(StepsHitByTheHost), $"steps of {Steps} that allocated");
    }
}
