using NUnit.Framework;

namespace Spk.Tests.Support;

/// <summary>Measures steady-state allocation of a repeated step.</summary>
public static class Allocations
{
    // The runtime's vector functions box until their first compilation is replaced, after some 30 calls and a little time.
    private const int WarmUp = 40;
    private const int Steps = 100;
    private const int TriesEach = 50;

    /// <summary>
    /// Asserts that steps allocate nothing: on the calling thread in 100 steps in a row, and on any thread in a step of every place of a period. The test
    /// host's own threads allocate many times a second, on a busy machine more, so a step is tried again in the next period until it was seen without; what a
    /// step itself allocates would show every time.
    /// </summary>
    /// <param name="step">The step.</param>
    /// <param name="period">Steps after which the same ones come again, such as those of an epoch; what happens every second, fourth, fifth or tenth time shows in 20.</param>
    public static void AssertNone(Action step, int period = 20)
    {
        for (int i = 0; i < Math.Max(WarmUp, period); i++)
        {
            step();
        }

        var clean = new bool[period];
        int quiet = 0;
        for (int i = 0; i < period * TriesEach && (quiet < Steps || clean.Contains(false)); i++)
        {
            long allBefore = GC.GetTotalAllocatedBytes(precise: true);
            long ownBefore = GC.GetAllocatedBytesForCurrentThread();
            step();
            quiet = GC.GetAllocatedBytesForCurrentThread() == ownBefore ? quiet + 1 : 0;
            clean[i % period] |= GC.GetTotalAllocatedBytes(precise: true) == allBefore;
        }

        Assert.That(quiet, Is.GreaterThanOrEqualTo(Steps), "last steps in a row that allocated nothing on their own thread");
        Assert.That(clean, Is.All.True, "steps that were seen to allocate nothing on any thread");
    }
}
