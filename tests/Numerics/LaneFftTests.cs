using NUnit.Framework;
using Spk.Engine.Numerics;
using Spk.Tests.Support;

namespace Spk.Tests.Numerics;

public sealed unsafe class LaneFftTests
{
    // 256 and 512 elements are the largest that stay in the first-level cache with 16 and 8 lanes; 2048 are quartered with both.
    [Test]
    public void Every_lane_is_the_direct_sum([Values(8, 16)] int lanes, [Values(1, 2, 4, 8, 16, 32, 256, 512, 2048)] int length)
    {
        var plan = new LaneFft(length);
        var input = Samples.Normal(1, 2 * lanes * length);
        var data = Lanes.Table(2 * lanes * length);
        input.CopyTo(data, 0);
        float* real = Lanes.Pointer(data);
        if (lanes == 8)
        {
            plan.Tables.Transform<EightLanes>(real, real + lanes);
        }
        else
        {
            plan.Tables.Transform<SixteenLanes>(real, real + lanes);
        }

        foreach (int k in new[] { 0, 1, 3, length / 4, length / 2, length - 1 }.Where(k => k < length).Distinct())
        {
            var want = new double[2 * lanes];
            for (int m = 0; m < length; m++)
            {
                var (sin, cos) = Math.SinCos(-2 * Math.PI * ((long)k * m % length) / length);
                for (int lane = 0; lane < lanes; lane++)
                {
                    double r = input[(2 * m * lanes) + lane], i = input[(((2 * m) + 1) * lanes) + lane];
                    want[lane] += (r * cos) - (i * sin);
                    want[lanes + lane] += (r * sin) + (i * cos);
                }
            }

            var got = data.AsSpan(plan.Position(k) * 2 * lanes, 2 * lanes);
            Close.Assert(got, want, Tolerance.Reduction(length) * 4 * Math.Sqrt(length), $"frequency {k} of {length}");
        }
    }
}
