using NUnit.Framework;

namespace Spk.Tests.Support;

/// <summary>Element-wise comparison that a NaN cannot pass.</summary>
public static class Close
{
    public static void Assert(ReadOnlySpan<double> got, ReadOnlySpan<double> want, double limit, string what)
    {
        NUnit.Framework.Assert.That(got.Length, Is.EqualTo(want.Length), $"{what}: number of elements");
        int worst = -1;
        double largest = 0;
        for (int i = 0; i < got.Length; i++)
        {
            double difference = Math.Abs(got[i] - want[i]);
            bool same = got[i] == want[i];
            if (!same && !(difference <= limit) && (worst < 0 || !(difference <= largest)))
            {
                worst = i;
                largest = difference;
            }
        }

        if (worst >= 0)
        {
            NUnit.Framework.Assert.Fail($"{what}: element {worst} of {got.Length} is {got[worst]:G9}, wanted {want[worst]:G9}; difference {largest:G4} > {limit:G4}");
        }
    }

    public static void Assert(ReadOnlySpan<float> got, ReadOnlySpan<double> want, double limit, string what)
    {
        var doubles = new double[got.Length];
        for (int i = 0; i < got.Length; i++)
        {
            doubles[i] = got[i];
        }

        Assert(doubles, want, limit, what);
    }

    public static void Assert(ReadOnlySpan<float> got, ReadOnlySpan<float> want, double limit, string what)
    {
        var doubles = new double[want.Length];
        for (int i = 0; i < want.Length; i++)
        {
            doubles[i] = want[i];
        }

        Assert(got, doubles, limit, what);
    }
}
