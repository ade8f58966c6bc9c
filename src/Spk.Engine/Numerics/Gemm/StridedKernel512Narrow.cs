using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Spk.Engine.Devices;

namespace Spk.Engine.Numerics;

/// <summary>12 × 16 tile for 16 channels and fewer: 12 accumulators hide the latency of the multiplication, and no lane idles.</summary>
internal readonly unsafe struct StridedKernel512Narrow : IStridedKernel
{
    public static int Height => 12;

    public static int Width => 16;

    [MethodImpl(HotLoop.Options)]
    public static void Run(in StridedTile tile, float* c, nint strideC, bool accumulate)
    {
        Vector512<float> c0 = Vector512<float>.Zero;
        Vector512<float> c1 = Vector512<float>.Zero;
        Vector512<float> c2 = Vector512<float>.Zero;
        Vector512<float> c3 = Vector512<float>.Zero;
        Vector512<float> c4 = Vector512<float>.Zero;
        Vector512<float> c5 = Vector512<float>.Zero;
        Vector512<float> c6 = Vector512<float>.Zero;
        Vector512<float> c7 = Vector512<float>.Zero;
        Vector512<float> c8 = Vector512<float>.Zero;
        Vector512<float> c9 = Vector512<float>.Zero;
        Vector512<float> c10 = Vector512<float>.Zero;
        Vector512<float> c11 = Vector512<float>.Zero;

        // Every third row has a pointer of its own; the two after it are reached by the row step and its double.
        nint one = tile.RowStep, two = 2 * one;
        for (int segment = 0; segment < tile.Segments; segment++)
        {
            float* a0 = tile.A + (segment * tile.SegmentA);
            float* a3 = a0 + one + two;
            float* a6 = a3 + one + two;
            float* a9 = a6 + one + two;
            float* b = tile.B + (segment * tile.SegmentB);
            for (int k = tile.Depth; k > 0; k--)
            {
                var values = Vector512.Load(b);
                c0 = Vector512.FusedMultiplyAdd(Vector512.Create(*a0), values, c0);
                c1 = Vector512.FusedMultiplyAdd(Vector512.Create(a0[one]), values, c1);
                c2 = Vector512.FusedMultiplyAdd(Vector512.Create(a0[two]), values, c2);
                c3 = Vector512.FusedMultiplyAdd(Vector512.Create(*a3), values, c3);
                c4 = Vector512.FusedMultiplyAdd(Vector512.Create(a3[one]), values, c4);
                c5 = Vector512.FusedMultiplyAdd(Vector512.Create(a3[two]), values, c5);
                c6 = Vector512.FusedMultiplyAdd(Vector512.Create(*a6), values, c6);
                c7 = Vector512.FusedMultiplyAdd(Vector512.Create(a6[one]), values, c7);
                c8 = Vector512.FusedMultiplyAdd(Vector512.Create(a6[two]), values, c8);
                c9 = Vector512.FusedMultiplyAdd(Vector512.Create(*a9), values, c9);
                c10 = Vector512.FusedMultiplyAdd(Vector512.Create(a9[one]), values, c10);
                c11 = Vector512.FusedMultiplyAdd(Vector512.Create(a9[two]), values, c11);
                a0 += tile.DepthStep;
                a3 += tile.DepthStep;
                a6 += tile.DepthStep;
                a9 += tile.DepthStep;
                b += tile.StepB;
            }
        }

        if (accumulate)
        {
            c0 += Vector512.Load(c);
            c1 += Vector512.Load(c + strideC);
            c2 += Vector512.Load(c + (2 * strideC));
            c3 += Vector512.Load(c + (3 * strideC));
            c4 += Vector512.Load(c + (4 * strideC));
            c5 += Vector512.Load(c + (5 * strideC));
            c6 += Vector512.Load(c + (6 * strideC));
            c7 += Vector512.Load(c + (7 * strideC));
            c8 += Vector512.Load(c + (8 * strideC));
            c9 += Vector512.Load(c + (9 * strideC));
            c10 += Vector512.Load(c + (10 * strideC));
            c11 += Vector512.Load(c + (11 * strideC));
        }

        c0.Store(c);
        c1.Store(c + strideC);
        c2.Store(c + (2 * strideC));
        c3.Store(c + (3 * strideC));
        c4.Store(c + (4 * strideC));
        c5.Store(c + (5 * strideC));
        c6.Store(c + (6 * strideC));
        c7.Store(c + (7 * strideC));
        c8.Store(c + (8 * strideC));
        c9.Store(c + (9 * strideC));
        c10.Store(c + (10 * strideC));
        c11.Store(c + (11 * strideC));
    }
}
